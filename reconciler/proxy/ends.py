"""Two TCP connections joined: what one end reads the other writes; and where one of them may be exchanged."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

#: How a request of HTTP/1.1 begins (RFC 9112, 3).
_REQUEST = re.compile(rb"[A-Z]{3,12} [^ \r\n]+ HTTP/1\.1\r\n")


class Conversation:
    """Whether a client that speaks HTTP/1.1 begins a request, everything before it being answered.

    There, and nowhere else, the connection behind can be exchanged without the client knowing. Whoever does not begin
    with a request is never taken to speak HTTP.
    """

    def __init__(self) -> None:
        self._http: bool | None = None
        self._answered = True

    def asked(self, data: bytes) -> bool:
        """Hear what the client sends; returns whether it begins a request."""
        request = self._http is not False and _REQUEST.match(data) is not None
        if self._http is None:
            self._http = request
        begins, self._answered = self._answered and request, False
        return begins

    def answered(self) -> None:
        """Hear that the endpoint sent something."""
        self._answered = True


class End(asyncio.Protocol):
    """One end of a joined pair: what it reads, the other writes; each may be closed for writing by itself."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        #: Sees what is read before it is written to the other end; returns whether it was held back.
        self.tap: Callable[[bytes], bool] | None = None
        self.other: End | None = None
        self._held: list[bytes] = []
        self._ended = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.other is None:
            # Nothing to write to yet: what the client sends waits in the kernel. (Before Python 3.11.4 a transport
            # reads once all the same: that is kept.)
            self.transport.pause_reading()

    def join(self, other: End) -> None:
        self.other = other
        held, self._held = self._held, []
        for data in held:
            self.data_received(data)
        if self._ended:
            self.eof_received()
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(RuntimeError):
                self.transport.resume_reading()

    def part(self, data: bytes) -> None:
        """Leave the other end; what was just read goes to the next one."""
        self.other = None
        self._held.append(data)
        if self.transport is not None:
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        other = self.other
        if other is None:
            self._held.append(data)
            if self.transport is not None:
                # It believes to be paused while it still reads: only this order takes the reader away.
                self.transport.resume_reading()
                self.transport.pause_reading()
        elif other.transport is not None and not (self.tap is not None and self.tap(data)):
            other.transport.write(data)

    def eof_received(self) -> bool:
        other = self.other
        if other is not None and other.transport is not None and other.transport.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                other.transport.write_eof()
        self._ended = True
        return not (other is not None and other._ended)  # noqa: SLF001 - its twin

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()
        if not self.lost.done():
            self.lost.set_result(None)
