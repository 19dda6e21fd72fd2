"""The cluster's name server: its own names from the routing table, all others from the host's servers (N40-N47)."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from reconciler.proxy import message
from reconciler.proxy.message import BadQuery, Query

if TYPE_CHECKING:
    import socket

    from reconciler.clock import Entropy
    from reconciler.proxy.names import ClusterNames

log = structlog.get_logger(__name__)

#: How long the host's servers may take, in seconds; questions under way at once.
FORWARD_SECONDS = 2.0
MOST_FORWARDED = 256


def host_servers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return the name servers of this host."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = [line.split() for line in lines]
    return [f[1] for f in found if len(f) > 1 and f[0] == "nameserver"]


class Resolver:
    """Answers one query."""

    def __init__(self, names: ClusterNames, entropy: Entropy, servers: list[str]) -> None:
        self._names = names
        self._entropy = entropy
        self._servers = servers
        self._limit = asyncio.Semaphore(MOST_FORWARDED)

    async def answer(self, data: bytes, limit: int) -> bytes | None:
        """Return the answer's bytes; None for what is no query."""
        try:
            query = message.parse_query(data)
        except BadQuery:
            return None
        if not self._names.is_ours(query.name):
            return await self._forward(query, data)
        found = self._names.look_up(query.name, query.type)
        if not found.exists:
            return message.answer(query, [], code=message.NXDOMAIN, authority=self._names.soa())
        if not found.records:
            return message.answer(query, [], authority=self._names.soa())
        records = sorted(found.records, key=lambda _: self._entropy.uniform(0, 1))
        return message.answer(query, records, limit=limit)

    async def _forward(self, query: Query, data: bytes) -> bytes:
        async with self._limit:
            for server in self._servers[:3]:
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(FORWARD_SECONDS):
                        return await _ask(server, data)
        return message.answer(query, [], code=message.SERVFAIL)


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, number: bytes) -> None:
        self.number = number
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        if data[:2] == self.number and not self.answered.done():
            self.answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc)


async def _ask(server: str, data: bytes) -> bytes:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Asking(data[:2]), remote_addr=(server, 53)
    )
    try:
        transport.sendto(data)
        return await protocol.answered
    finally:
        transport.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver, group: asyncio.TaskGroup) -> None:
        self._resolver = resolver
        self._group = group
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._group.create_task(self._answer(data, addr))

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        found = await self._resolver.answer(data, message.LARGEST_UDP)
        if found is not None and self._transport is not None:
            self._transport.sendto(found, addr)


async def serve(
    resolver: Resolver, datagram: socket.socket, listening: socket.socket | None
) -> None:
    """Serve UDP and TCP until cancelled."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                async with asyncio.timeout(10):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                found = await resolver.answer(data, 65_535)
                if found is None:
                    break
                writer.write(struct.pack("!H", len(found)) + found)
                await writer.drain()
        writer.close()

    async with asyncio.TaskGroup() as group:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(resolver, group), sock=datagram
        )
        server = None
        if listening is not None:
            server = await asyncio.start_server(connected, sock=listening)
        try:
            await loop.create_future()
        finally:
            transport.close()
            if server is not None:
                server.close()
