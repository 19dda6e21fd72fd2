"""Ingress: HTTP/1.1 from outside to the endpoint that host and path name (I03 to I12).

Connections are kept alive on both sides, bodies stream with back-pressure, upgrades (WebSocket) become tunnels. A
request is tried on another endpoint when connecting failed, or when a kept-alive connection turned out to be closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import structlog

from reconciler.proxy import body, http
from reconciler.proxy.body import SourceEnded
from reconciler.proxy.clients import LINGER_SECONDS, PIECE_SECONDS, Client, Clients
from reconciler.proxy.http import BadMessage, Head
from reconciler.proxy.ingress import normal_path
from reconciler.proxy.upstream import Pool, Upstream

if TYPE_CHECKING:
    from reconciler.proxy.balance import Balancer
    from reconciler.proxy.dial import Dialer
    from reconciler.proxy.flows import Flows
    from reconciler.proxy.listeners import Endpoint, ServicePort
    from reconciler.proxy.measures import ProxyMeasures
    from reconciler.proxy.table import RoutingTable

log = structlog.get_logger(__name__)

#: An endpoint may think for so long, in seconds.
ANSWER_SECONDS = 300.0

#: Requests that may be sent again when nothing of an answer has come (RFC 9110, 9.2.2).
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})

#: What a client says of itself is not believed; ``Proxy`` would become HTTP_PROXY in a CGI program.
_NOT_BELIEVED = frozenset(
    {
        b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip",
        b"forwarded", b"expect", b"proxy",
    }
)  # fmt: skip


class _Stale(Exception):
    """A connection was closed before it answered."""


class IngressProxy:
    """Serves client connections, over TLS or not."""

    def __init__(
        self,
        table: RoutingTable,
        balancer: Balancer,
        dialer: Dialer,
        flows: Flows,
        measures: ProxyMeasures,
    ) -> None:
        self._table = table
        self._flows = flows
        self._retired = False
        self._balancer = balancer
        self.pool = Pool(dialer)
        self._measures = measures
        self._clients = Clients(measures)

    @property
    def clients(self) -> int:
        """How many client connections are open."""
        return len(self._clients)

    def retire(self) -> None:
        """Let every client go after its next answer: closing before would lose a request that is on its way."""
        self._retired = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes or asks to close. Raises nothing."""
        client = Client(reader, writer)
        refusal = self._clients.enter(client)
        try:
            if refusal is not None:
                await _refuse(client, refusal.status, str(refusal), close=True)
                return
            while await self._one(client):
                pass
            if client.unread:
                with contextlib.suppress(OSError, RuntimeError):
                    if writer.can_write_eof():
                        writer.write_eof()
                await body.discard(reader, LINGER_SECONDS)
        except (OSError, asyncio.IncompleteReadError, SourceEnded, _Stale) as error:
            log.debug("client connection ended", error=str(error))
        except Exception:
            log.exception("a request could not be served")
        finally:
            self._clients.leave(client)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, client: Client) -> bool:
        """Serve one request; returns whether the connection is kept."""
        try:
            raw = await client.head()
        except BadMessage as error:
            client.unread = True
            return await _refuse(client, error.status, str(error), close=True)
        if raw is None:
            return False
        began = asyncio.get_running_loop().time()
        client.service, client.code = ("", ""), 0
        try:
            return await self._route(client, raw)
        finally:
            took = asyncio.get_running_loop().time() - began
            self._measures.answered(client.service, client.code, took)

    async def _route(self, client: Client, raw: bytes) -> bool:
        """Find who answers the request that begins with this head, and pass it on; returns whether the connection is kept."""
        try:
            request = http.parse_request(raw)
            if self._retired:
                request = request._replace(keep_alive=False)
            host = http.host_of(request)
        except BadMessage as error:
            client.unread = True
            return await _refuse(client, error.status, str(error), close=True)
        path = normal_path(request.target.decode("latin-1"))
        if path is None:
            return await _answer(client, request, 400, "the path leads out of the root")
        backend = self._table.ingress.match(host, path)
        if backend is None:
            return await _answer(client, request, 404, "no Ingress names this host and path")
        client.service = backend.namespace, backend.service
        port = self._table.find_port(backend.namespace, backend.service, backend.port)
        if port is None:
            why = f"there is no Service {backend.service} with port {backend.port}"
            return await _answer(client, request, 503, why)
        return await self._forward(client, request, port)

    async def _forward(self, client: Client, request: Head, port: ServicePort) -> bool:
        """Find an endpoint that takes the request."""
        tried: set[Endpoint] = set()
        while True:
            endpoint = self._balancer.choose(port, client.address, tried)
            if endpoint is None and tried:
                return await _answer(client, request, 502, "no endpoint answers")
            if endpoint is None:
                return await _answer(client, request, 503, "no endpoint is ready")
            with self._flows.request(endpoint):
                kept = await self._try(client, request, port, endpoint, tried)
            if kept is not None:
                return kept

    async def _try(
        self,
        client: Client,
        request: Head,
        port: ServicePort,
        endpoint: Endpoint,
        tried: set[Endpoint],
    ) -> bool | None:
        """Send a request to an endpoint; returns whether the client's connection is kept, None: try again.

        What cannot be sent twice never takes a connection that may be stale. An endpoint that gives no answer is
        added to ``tried``.
        """
        may_repeat = not request.has_body and not request.upgrade and request.method in _REPEATABLE
        try:
            upstream = await self.pool.take(endpoint, reuse=may_repeat)
        except OSError as error:
            log.debug("endpoint refused", endpoint=str(endpoint), error=str(error))
            tried.add(endpoint)
            return None
        fresh, keep_upstream = upstream.fresh, False
        try:
            upstream.writer.write(_request_head(request, client))
            async with _Sending(client, request, upstream) as sending:
                response = await sending.head()
                keep, keep_upstream = await _pass_on(client, request, upstream, response, sending)
        except _Stale:
            if fresh and not may_repeat:
                return await _answer(client, request, 502, "the endpoint gave no answer")
            if fresh:
                tried.add(endpoint)
            return None
        except BadMessage as error:
            client.unread = request.has_body
            return await _refuse(client, error.status, str(error), close=True)
        except TimeoutError:
            client.unread = request.has_body
            return await _refuse(client, 504, "the endpoint does not answer", close=True)
        else:
            return keep
        finally:
            if keep_upstream and endpoint in self._table.backends(port.key):
                self.pool.keep(upstream)
            else:
                upstream.close()


class _Sending:
    """A request's body under way, beside the wait for its answer."""

    def __init__(self, client: Client, request: Head, upstream: Upstream) -> None:
        self._client = client
        self._request = request
        self._upstream = upstream
        self._task: asyncio.Task[bool] | None = None

    async def __aenter__(self) -> Self:
        if self._request.has_body:
            if self._request.get(b"expect").lower() == b"100-continue":
                self._client.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._task = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # what it said has been heard, or does not matter any more

    async def _send(self) -> bool:
        """Return whether the endpoint took it all. An endpoint may answer early and read no further."""
        try:
            await body.send(
                self._client.reader, self._request, self._upstream.writer,
                chunked=self._request.chunked, source_seconds=PIECE_SECONDS,
            )  # fmt: skip
        except OSError:
            return False
        return True

    def complete(self) -> bool:
        """Whether all of the body has been passed on."""
        task = self._task
        return task is None or (
            task.done() and not task.cancelled() and not task.exception() and task.result()
        )

    async def head(self) -> Head:
        """Wait for the answer's head; a client that breaks off ends the wait.

        Raises ``SourceEnded``, ``BadMessage``, ``TimeoutError``, and ``_Stale`` for no answer at all.
        """
        if self._task is None:
            return await _response_head(self._upstream, self._request)
        waiting = asyncio.create_task(_response_head(self._upstream, self._request))
        try:
            await asyncio.wait([self._task, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and self._task.done():
                self._task.result()
            return await waiting
        finally:
            waiting.cancel()


async def _response_head(upstream: Upstream, request: Head) -> Head:
    """Read the answer's head, past any 1xx."""
    while True:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                raw = await upstream.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _Stale from error
            raise BadMessage(502, "the endpoint's answer broke off") from error
        except asyncio.LimitOverrunError as error:
            raise BadMessage(502, "the endpoint's head is too large") from error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise _Stale from error
        try:
            response = http.parse_response(raw)
        except BadMessage as error:
            raise BadMessage(502, f"the endpoint's answer: {error}") from error
        if response.status == 101 and not request.upgrade:
            raise BadMessage(502, "the endpoint changed the protocol unasked")
        if response.status >= 200 or response.status == 101:
            return response


async def _pass_on(
    client: Client, request: Head, upstream: Upstream, response: Head, sending: _Sending
) -> tuple[bool, bool]:
    """Write the answer; returns whether the client's and the endpoint's connections are kept.

    After the head is out there is no other answer to give: whatever breaks then ends the client's connection.
    """
    client.code = response.status
    if response.status == 101:
        client.writer.write(http.write_head(b"HTTP/1.1 101 Switching Protocols", response.headers))
        client.keep_alive()
        await body.tunnel((client.reader, client.writer), (upstream.reader, upstream.writer))
        return False, False
    bodiless = request.method == b"HEAD" or response.status in (204, 304)
    until_close = not bodiless and not response.chunked and response.length is None
    chunked = (response.chunked or until_close) and response.status != 204
    keep = request.keep_alive and sending.complete()
    if request.version == "1.0" and chunked:
        chunked = False
        keep = keep and bodiless
    client.writer.write(_response_head_bytes(response, keep=keep, chunked=chunked))
    if not bodiless:
        upstream.acknowledge()
        try:
            await body.send(
                upstream.reader,
                response,
                client.writer,
                chunked=chunked,
                sink_seconds=PIECE_SECONDS,
            )
        except BadMessage as error:
            raise SourceEnded from error
        except TimeoutError as error:
            raise ConnectionResetError(str(error)) from error
    await client.writer.drain()
    complete = sending.complete()
    client.unread = not complete
    return keep and complete, complete and response.keep_alive and not until_close


async def _answer(client: Client, request: Head, status: int, why: str) -> bool:
    client.unread = request.has_body
    close = request.has_body or not request.keep_alive or request.upgrade
    return await _refuse(client, status, why, close=close, bodiless=request.method == b"HEAD")


async def _refuse(
    client: Client, status: int, why: str, *, close: bool, bodiless: bool = False
) -> bool:
    client.code = status
    client.writer.write(http.plain_answer(status, why, close=close, bodiless=bodiless))
    await client.writer.drain()
    return not close


def _request_head(request: Head, client: Client) -> bytes:
    headers = [(k, v) for k, v in http.passed_on(request) if k.lower() not in _NOT_BELIEVED]
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


def _response_head_bytes(response: Head, *, keep: bool, chunked: bool) -> bytes:
    headers = http.passed_on(response)
    if chunked:
        headers.append((b"Transfer-Encoding", b"chunked"))
    headers.append((b"Connection", b"keep-alive" if keep else b"close"))
    return http.write_head(b"HTTP/1.1 %d %b" % (response.status, response.reason), headers)
