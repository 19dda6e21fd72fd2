"""Ingress: HTTP/1.1 from outside to the endpoint that host and path name (I01-I20).

Connections are kept alive on both sides, bodies stream with back-pressure, upgrades (WebSocket) become tunnels. A
request is tried on another endpoint when connecting failed, or when a kept-alive connection turned out to be closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

import structlog

from reconciler.proxy import http
from reconciler.proxy.http import BadMessage, Head

if TYPE_CHECKING:
    from reconciler.proxy.balance import Balancer
    from reconciler.proxy.dial import Dialer
    from reconciler.proxy.table import Endpoint, RoutingTable, ServicePort

log = structlog.get_logger(__name__)

#: A client that says nothing for so long between requests is let go; an endpoint may think for so long (seconds).
IDLE_SECONDS = 75.0
ANSWER_SECONDS = 300.0
#: Idle connections kept to one endpoint.
KEPT_CONNECTIONS = 32
_PIECE = 64 * 1024

#: Requests that may be sent again when nothing of an answer has come (RFC 9110, 9.2.2).
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})


class Connection(NamedTuple):
    """One connection to an endpoint."""

    endpoint: Endpoint
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    fresh: bool

    def close(self) -> None:
        self.writer.close()


class _Stale(Exception):
    """A kept-alive connection was closed before it answered."""


class _Client(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    address: str
    scheme: str
    port: int


class IngressProxy:
    """Serves client connections, over TLS or not."""

    def __init__(self, table: RoutingTable, balancer: Balancer, dialer: Dialer) -> None:
        self._table = table
        self._balancer = balancer
        self._dialer = dialer
        self._idle: dict[Endpoint, list[Connection]] = {}

    def drain(self, endpoints: frozenset[Endpoint]) -> None:
        """Close idle connections to endpoints that get no new requests."""
        for endpoint in endpoints:
            for connection in self._idle.pop(endpoint, ()):
                connection.close()

    def close(self) -> None:
        self.drain(frozenset(self._idle))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes or asks to close."""
        peer = writer.get_extra_info("peername") or ("", 0)
        name = writer.get_extra_info("sockname") or ("", 0)
        scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        client = _Client(reader, writer, str(peer[0]), scheme, int(name[1]))
        try:
            while await self._one(client):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _one(self, client: _Client) -> bool:
        """Serve one request; returns whether the connection is kept."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                raw = await client.reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError):
            return False
        except asyncio.LimitOverrunError:
            return await _refuse(client, 431, "the head is too large", close=True)
        try:
            request = http.parse_request(raw)
            host = _host_of(request)
        except BadMessage as error:
            return await _refuse(client, error.status, str(error), close=True)
        path = request.target.partition(b"?")[0].decode("latin-1")
        backend = self._table.ingress.match(host, path)
        if backend is None:
            return await self._answer_without(
                client, request, 404, "no Ingress names this host and path"
            )
        port = self._table.find_port(backend.namespace, backend.service, backend.port)
        if port is None:
            return await self._answer_without(
                client,
                request,
                503,
                f"there is no Service {backend.service} with port {backend.port}",
            )
        return await self._forward(client, request, port)

    async def _answer_without(self, client: _Client, request: Head, status: int, why: str) -> bool:
        has_body = request.chunked or bool(request.length)
        return await _refuse(client, status, why, close=has_body or not request.keep_alive)

    async def _forward(self, client: _Client, request: Head, port: ServicePort) -> bool:
        has_body = request.chunked or bool(request.length)
        tried: set[Endpoint] = set()
        while True:
            endpoint = self._balancer.choose(port, client.address, tried)
            if endpoint is None:
                status, why = (
                    (502, "no endpoint answers") if tried else (503, "no endpoint is ready")
                )
                return await self._answer_without(client, request, status, why)
            # What cannot be sent twice never takes a connection that may be stale.
            may_repeat = not has_body and not request.upgrade and request.method in _REPEATABLE
            try:
                upstream = await self._connect(endpoint, reuse=may_repeat)
            except OSError as error:
                log.debug("endpoint refused", endpoint=str(endpoint), error=str(error))
                tried.add(endpoint)
                continue
            try:
                return await self._exchange(client, request, upstream)
            except _Stale:
                upstream.close()
                if upstream.fresh:
                    tried.add(endpoint)
                    if not may_repeat:
                        return await self._answer_without(
                            client, request, 502, "the endpoint gave no answer"
                        )
            except BadMessage as error:
                upstream.close()
                return await _refuse(client, 502, str(error), close=True)
            except TimeoutError:
                upstream.close()
                return await _refuse(client, 504, "the endpoint does not answer", close=True)
            except BaseException:
                upstream.close()
                raise

    async def _connect(self, endpoint: Endpoint, *, reuse: bool) -> Connection:
        kept = self._idle.get(endpoint) if reuse else None
        while kept:
            connection = kept.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection._replace(fresh=False)
            connection.close()
        sock = await self._dialer.connect(endpoint)
        reader, writer = await asyncio.open_connection(sock=sock, limit=http.LARGEST_HEAD)
        return Connection(endpoint, reader, writer, fresh=True)

    async def _exchange(self, client: _Client, request: Head, upstream: Connection) -> bool:
        """Send the request, pass the answer back; returns whether the client's connection is kept."""
        upstream.writer.write(_request_head(request, client))
        sending: asyncio.Task[None] | None = None
        try:
            if request.chunked or request.length:
                if request.get(b"expect").lower() == b"100-continue":
                    client.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                sending = asyncio.create_task(_copy_body(client.reader, upstream.writer, request))
            response = await _response_head(upstream)
            if response.status == 101:
                client.writer.write(_upgrade_head(response))
                await _tunnel(client, upstream)
                return False
            keep = request.keep_alive and not (sending is not None and not sending.done())
            bodiless = request.method == b"HEAD" or response.status in (204, 304)
            until_close = not bodiless and not response.chunked and response.length is None
            rechunk = until_close
            client.writer.write(_response_bytes(response, keep=keep, chunk=rechunk))
            if not bodiless:
                await _copy_answer(upstream.reader, client.writer, response, rechunk=rechunk)
            await client.writer.drain()
            if sending is not None:
                await sending
                keep = request.keep_alive and keep
            self._keep(upstream, response, until_close=until_close)
            return keep
        finally:
            if sending is not None and not sending.done():
                sending.cancel()
                with contextlib.suppress(
                    asyncio.CancelledError, OSError, asyncio.IncompleteReadError
                ):
                    await sending

    def _keep(self, upstream: Connection, response: Head, *, until_close: bool) -> None:
        """Keep a connection for the next request, where both sides allow it and its endpoint still serves."""
        kept = self._idle.setdefault(upstream.endpoint, [])
        if until_close or not response.keep_alive or len(kept) >= KEPT_CONNECTIONS:
            upstream.close()
            if not kept:
                del self._idle[upstream.endpoint]
        else:
            kept.append(upstream)


async def _refuse(client: _Client, status: int, why: str, *, close: bool) -> bool:
    client.writer.write(http.plain_answer(status, why, close=close))
    await client.writer.drain()
    return not close


def _host_of(request: Head) -> str:
    """Return the host a request is for, without its port. Raises ``BadMessage``."""
    hosts = [v for k, v in request.headers if k.lower() == b"host"]
    if len(hosts) != 1:
        raise BadMessage(400, "exactly one Host is needed")
    text = hosts[0].decode("latin-1").strip()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0].rstrip(".")


def _request_head(request: Head, client: _Client) -> bytes:
    headers = [
        (k, v)
        for k, v in http.passed_on(request)
        if k.lower() not in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
                             b"x-forwarded-port", b"x-real-ip", b"expect")
    ]  # fmt: skip
    address = client.address.encode()
    headers += [
        (b"X-Forwarded-For", address),
        (b"X-Forwarded-Proto", client.scheme.encode()),
        (b"X-Forwarded-Host", request.get(b"host")),
        (b"X-Forwarded-Port", str(client.port).encode()),
        (b"X-Real-IP", address),
    ]
    if request.chunked:
        headers.append((b"Transfer-Encoding", b"chunked"))
    if request.upgrade:
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", request.get(b"upgrade"))]
    return http.write_head(request.method + b" " + request.target + b" HTTP/1.1", headers)


async def _response_head(upstream: Connection) -> Head:
    """Read the answer's head, past any 1xx. Raises ``_Stale`` when the connection ended without one byte."""
    while True:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await upstream.writer.drain()
                raw = await upstream.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _Stale from error
            raise BadMessage(502, "the endpoint's answer broke off") from error
        except asyncio.LimitOverrunError as error:
            raise BadMessage(502, "the endpoint's head is too large") from error
        except OSError as error:
            raise _Stale from error
        response = http.parse_response(raw)
        if response.status >= 200 or response.status == 101:
            return response


def _upgrade_head(response: Head) -> bytes:
    return http.write_head(b"HTTP/1.1 101 Switching Protocols", response.headers)


def _response_bytes(response: Head, *, keep: bool, chunk: bool) -> bytes:
    headers = http.passed_on(response)
    if response.chunked or chunk:
        headers.append((b"Transfer-Encoding", b"chunked"))
    headers.append((b"Connection", b"keep-alive" if keep else b"close"))
    return http.write_head(f"HTTP/1.1 {response.status} ".encode(), headers)


async def _copy_exactly(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int
) -> None:
    while count:
        piece = await reader.read(min(count, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", count)
        writer.write(piece)
        await writer.drain()
        count -= len(piece)


async def _copy_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass a chunked body on, chunk by chunk, with its trailers."""
    while True:
        line = await reader.readline()
        try:
            size = int(line.split(b";")[0].strip(), 16)
        except ValueError as error:
            raise BadMessage(400, "a chunk has no size") from error
        writer.write(line)
        if size == 0:
            break
        await _copy_exactly(reader, writer, size + 2)
    while True:
        line = await reader.readline()
        writer.write(line)
        if line in (b"\r\n", b"\n", b""):
            await writer.drain()
            return


async def _copy_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Head
) -> None:
    with contextlib.suppress(ConnectionError):
        if request.chunked:
            await _copy_chunks(reader, writer)
        else:
            await _copy_exactly(reader, writer, request.length or 0)


async def _copy_answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: Head, *, rechunk: bool
) -> None:
    if response.chunked:
        await _copy_chunks(reader, writer)
    elif response.length is not None:
        await _copy_exactly(reader, writer, response.length)
    elif rechunk:
        while piece := await reader.read(_PIECE):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")


async def _tunnel(client: _Client, upstream: Connection) -> None:
    """Join both sides until both have ended."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            else:
                writer.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(one_way(client.reader, upstream.writer))
        group.create_task(one_way(upstream.reader, client.writer))
    upstream.close()
