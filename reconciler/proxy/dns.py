"""The cluster's name server: its own names from the routing table, all others from the host's servers."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from reconciler.proxy import message
from reconciler.proxy.message import BadQuery, Query, Record

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from reconciler.clock import Entropy
    from reconciler.proxy.names import ClusterNames

log = structlog.get_logger(__name__)

#: How long the host's servers may take, in seconds; questions under way at once.
FORWARD_SECONDS = 2.0
MOST_FORWARDED = 256
MOST_QUERIES = 1024
#: TCP connections at once.
MOST_STREAMS = 128


def host_servers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return the name servers of this host."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = [line.split() for line in lines]
    return [f[1] for f in found if len(f) > 1 and f[0] == "nameserver"]


class HostServers:
    """This host's name servers as they are now: a laptop changes networks."""

    def __init__(self, path: Path = Path("/etc/resolv.conf")) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._servers: list[str] = []

    def __call__(self) -> list[str]:
        try:
            found = self._path.stat()
        except OSError:
            return self._servers
        if self._seen != (found.st_mtime_ns, found.st_size):
            self._seen = (found.st_mtime_ns, found.st_size)
            self._servers = host_servers(self._path)
        return self._servers


class Resolver:
    """Answers queries. ``servers`` returns whom to ask for names that are not the cluster's."""

    def __init__(
        self,
        names: ClusterNames,
        entropy: Entropy,
        servers: Callable[[], list[str]],
        *,
        port: int = 53,
    ) -> None:
        self._names = names
        self._entropy = entropy
        self._servers = servers
        self._port = port
        self._forwarding = 0

    async def answer(self, data: bytes, *, stream: bool = False) -> bytes | None:
        """Return the answer's bytes; None for what is no query. ``stream``: it came over TCP."""
        try:
            query = message.parse_query(data)
        except BadQuery:
            return None
        if not self._names.is_ours(query.name):
            return await self._forward(query, data, stream=stream)
        found = self._names.look_up(query.name, query.type)
        if not found.exists:
            return message.answer(query, [], code=message.NXDOMAIN, authority=self._names.soa())
        if not found.records:
            return message.answer(query, [], authority=self._names.soa())
        records = sorted(found.records, key=lambda _: self._entropy.uniform(0, 1))
        if records[0].type == message.CNAME and query.type not in (message.CNAME, message.AAAA):
            records += await self._follow(records[0])
        return message.answer(query, records, limit=65_535 if stream else query.udp_size)

    async def _follow(self, alias: Record) -> list[Record]:
        """Return the addresses of an alias: a stub resolver does not ask for them by itself (RFC 1034, 3.6.2)."""
        target = str(alias.value).lower()
        if self._names.is_ours(target):
            return [
                r for r in self._names.look_up(target, message.A).records if r.type == message.A
            ]
        number = int(self._entropy.uniform(0, 0xFFFF))
        answer = await self._ask(message.make_query(number, target, message.A), stream=False)
        try:
            return message.parse_addresses(answer) if answer else []
        except BadQuery:
            return []

    async def _forward(self, query: Query, data: bytes, *, stream: bool) -> bytes:
        found = await self._ask(data, stream=stream)
        return found or message.answer(query, [], code=message.SERVFAIL)

    async def _ask(self, data: bytes, *, stream: bool) -> bytes | None:
        """Ask the host's servers in turn; None where nobody answers or too much is being asked already."""
        if self._forwarding >= MOST_FORWARDED:
            return None
        self._forwarding += 1
        try:
            for server in self._servers()[:3]:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(FORWARD_SECONDS):
                        ask = _ask_stream if stream else _ask_datagram
                        return await ask(server, self._port, data)
        finally:
            self._forwarding -= 1
        return None


async def _ask_stream(server: str, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(struct.pack("!H", len(data)) + data)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(size)
    finally:
        writer.close()


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


async def _ask_datagram(server: str, port: int, data: bytes) -> bytes:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Asking(data[:2]), remote_addr=(server, port)
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
        self._under_way = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # One too many is dropped, as a full socket would: the client asks again.
        if self._under_way < MOST_QUERIES:
            self._under_way += 1
            self._group.create_task(self._answer(data, addr))

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            found = await self._resolver.answer(data)
            if found is not None and self._transport is not None:
                self._transport.sendto(found, addr)
        except Exception:
            log.exception("a query could not be answered")
        finally:
            self._under_way -= 1


def _ignore(_: asyncio.Task[None]) -> None:
    """Give a stream server nothing to await: the group has the task."""


async def serve(
    resolver: Resolver, datagram: socket.socket, listening: socket.socket | None
) -> None:
    """Serve UDP and TCP until cancelled."""
    streams = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal streams
        streams += 1
        try:
            while streams <= MOST_STREAMS:
                async with asyncio.timeout(10):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                found = await resolver.answer(data, stream=True)
                if found is None:
                    break
                writer.write(struct.pack("!H", len(found)) + found)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception:
            log.exception("a query could not be answered")
        finally:
            streams -= 1
            writer.close()

    async with asyncio.TaskGroup() as group:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(resolver, group), sock=datagram
        )
        server = None
        if listening is not None:
            server = await asyncio.start_server(
                lambda reader, writer: _ignore(group.create_task(connected(reader, writer))),
                sock=listening,
            )
        try:
            await loop.create_future()
        finally:
            transport.close()
            if server is not None:
                server.close()
