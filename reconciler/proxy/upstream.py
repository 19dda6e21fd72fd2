"""Kept-alive connections to endpoints, so that a request needs no new one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, SupportsIndex

from reconciler.proxy import http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.proxy.dial import Dialer
    from reconciler.proxy.listeners import Endpoint

#: Idle connections kept to one endpoint.
MOST_IDLE = 32


class _Reader(asyncio.StreamReader):
    """A reader that says at once when an idle connection ends, or talks unasked: neither can be used again."""

    spoiled: Callable[[], None] | None = None

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self.spoiled is None:
            super().feed_data(data)
        else:
            self.spoiled()

    def feed_eof(self) -> None:
        super().feed_eof()
        if self.spoiled is not None:
            self.spoiled()


class Upstream:
    """One connection to an endpoint. ``fresh``: it has not answered a request yet."""

    def __init__(self, endpoint: Endpoint, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.endpoint = endpoint
        self.reader = reader
        self.writer = writer
        self.fresh = True

    def acknowledge(self) -> None:
        """Acknowledge what came at once: a server that writes head and body apart (Nagle) waits 40 ms for it otherwise."""
        sock = self.writer.get_extra_info("socket")
        option = getattr(socket, "TCP_QUICKACK", None)
        if sock is not None and option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, 1)

    def close(self) -> None:
        self.writer.close()


class Pool:
    """The connections to all endpoints that wait for a request."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._idle: dict[Endpoint, list[Upstream]] = {}

    async def take(self, endpoint: Endpoint, *, reuse: bool) -> Upstream:
        """Return a connection, an idle one where ``reuse`` allows it. Raises ``OSError``."""
        if reuse:
            while kept := self._idle.get(endpoint):
                upstream = kept.pop()
                upstream.reader.spoiled = None
                if not kept:
                    del self._idle[endpoint]
                if not upstream.writer.is_closing():
                    return upstream
        sock = await self._dialer.connect(endpoint)
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=http.LARGEST_HEAD, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
        return Upstream(endpoint, reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def keep(self, upstream: Upstream) -> None:
        """Take a connection back for the next request; one too many is closed."""
        kept = self._idle.setdefault(upstream.endpoint, [])
        if len(kept) >= MOST_IDLE or upstream.reader.at_eof() or upstream.writer.is_closing():
            upstream.close()
            if not kept:
                del self._idle[upstream.endpoint]
            return
        upstream.fresh = False
        upstream.reader.spoiled = lambda: self._forget(upstream)
        kept.append(upstream)

    def _forget(self, upstream: Upstream) -> None:
        upstream.close()
        kept = self._idle.get(upstream.endpoint, [])
        if upstream in kept:
            kept.remove(upstream)
            if not kept:
                del self._idle[upstream.endpoint]

    def drain(self, endpoints: Iterable[Endpoint]) -> None:
        """Close the idle connections to endpoints that get no new requests."""
        for endpoint in endpoints:
            for upstream in self._idle.pop(endpoint, ()):
                upstream.reader.spoiled = None
                upstream.close()

    def idle(self) -> dict[Endpoint, int]:
        """Return how many connections wait, by endpoint."""
        return {endpoint: len(kept) for endpoint, kept in self._idle.items()}

    def close(self) -> None:
        self.drain(list(self._idle))
