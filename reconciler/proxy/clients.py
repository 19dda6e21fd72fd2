"""Clients of the Ingress: how long one may take, and how many there may be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from typing import TYPE_CHECKING

from reconciler.proxy.http import BadMessage

if TYPE_CHECKING:
    from reconciler.proxy.measures import ProxyMeasures

#: A client that says nothing for so long between requests is let go, in seconds.
IDLE_SECONDS = 75.0
#: From a head's first byte to its last, however many pieces it comes in, in seconds.
HEAD_SECONDS = 20.0
#: Between two pieces of a request's body, and for a piece of an answer to be taken, in seconds.
PIECE_SECONDS = 60.0
#: A client that is told to close while it still sends is listened to for so long, in seconds.
LINGER_SECONDS = 2.0
#: Client connections at once; of one address, half of them: one client does not keep out all others.
MOST_CLIENTS = 4096
MOST_OF_ONE = 2048

#: After so many seconds without a byte the kernel asks whether the other end is still there, so often and so many times.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Client:
    """One client connection. ``unread``: it may still be sending what nobody reads.

    ``service`` and ``code`` are those of its request under way: where it goes, and what it was answered (0: nothing yet).
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.address = str((writer.get_extra_info("peername") or ("",))[0])
        self.port = int((writer.get_extra_info("sockname") or ("", 0))[1])
        self.scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        self.unread = False
        self.service = ("", "")
        self.code = 0

    async def head(self) -> bytes | None:
        """Return the next request's head; None when the client has gone, or says nothing.

        Raises ``BadMessage`` for one that is too slow (408) or too large (431).
        """
        first = b""
        try:
            async with asyncio.timeout(IDLE_SECONDS) as limit:
                first = await self.reader.readexactly(1)
                limit.reschedule(asyncio.get_running_loop().time() + HEAD_SECONDS)
                return first + await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as error:
            raise BadMessage(431, "the head is too large") from error
        except TimeoutError as error:
            if not first:
                return None
            raise BadMessage(408, f"the head took more than {HEAD_SECONDS:.0f} seconds") from error

    def keep_alive(self) -> None:
        """Have the kernel notice when the client's machine is gone: a tunnel may be silent for long."""
        sock = self.writer.get_extra_info("socket")
        if sock is None:
            return
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Clients:
    """Counts the connections that are open."""

    def __init__(self, measures: ProxyMeasures) -> None:
        self._measures = measures
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._of.total()

    def enter(self, client: Client) -> BadMessage | None:
        """Count one in; returns the refusal where it is one too many. Each is counted out with ``leave``."""
        self._measures.clients += 1
        self._of[client.address] += 1
        if self._measures.clients > MOST_CLIENTS:
            return BadMessage(503, "too many connections")
        if self._of[client.address] > MOST_OF_ONE:
            return BadMessage(429, "too many connections from this address")
        return None

    def leave(self, client: Client) -> None:
        """Count one out."""
        self._measures.clients -= 1
        self._of[client.address] -= 1
        if not self._of[client.address]:
            del self._of[client.address]
