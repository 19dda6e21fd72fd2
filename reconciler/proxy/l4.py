"""TCP Services: each address and port is listened on, each connection is joined to one to an endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.proxy.balance import Balancer
    from reconciler.proxy.dial import Dialer
    from reconciler.proxy.flows import Flow, Flows
    from reconciler.proxy.measures import ProxyMeasures
    from reconciler.proxy.table import Endpoint, Listener, RoutingTable

log = structlog.get_logger(__name__)

#: Connections of one listener at once; more are reset.
MOST_CONNECTIONS = 16_384


class _End(asyncio.Protocol):
    """One end of a joined pair: what it reads, the other writes; each may be closed for writing by itself."""

    def __init__(self, moved: Callable[[], None] = lambda: None) -> None:
        self.transport: asyncio.Transport | None = None
        self.moved = moved
        self.other: _End | None = None
        self._held: list[bytes] = []
        self._ended = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.other is None:
            # Nothing to write to yet: what the client sends waits in the kernel. (Before Python 3.11.4 a transport
            # reads once all the same: that is kept.)
            self.transport.pause_reading()

    def join(self, other: _End) -> None:
        self.other = other
        for data in self._held:
            self.data_received(data)
        self._held.clear()
        if self._ended:
            self.eof_received()
        if self.transport is not None and not self.transport.is_closing():
            with contextlib.suppress(RuntimeError):
                self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        other = self.other
        if other is None:
            self._held.append(data)
            if self.transport is not None:
                # It believes to be paused while it still reads: only this order takes the reader away.
                self.transport.resume_reading()
                self.transport.pause_reading()
        elif other.transport is not None:
            self.moved()
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


class TcpListener:
    """One listening socket of one Service port."""

    def __init__(
        self,
        listener: Listener,
        table: RoutingTable,
        balancer: Balancer,
        dialer: Dialer,
        flows: Flows,
        group: asyncio.TaskGroup,
        measures: ProxyMeasures,
    ) -> None:
        self._listener = listener
        self._table = table
        self._balancer = balancer
        self._dialer = dialer
        self._flows = flows
        self._group = group
        self._measures = measures
        self._joined = 0

    async def serve(self, sock: socket.socket) -> None:
        """Serve until cancelled; connections under way are then left to end by themselves."""
        loop = asyncio.get_running_loop()

        def made() -> _End:
            end = _End()
            self._group.create_task(self._serve_one(end))
            return end

        server = await loop.create_server(made, sock=sock)
        try:
            await loop.create_future()
        finally:
            server.close()

    async def _serve_one(self, client: _End) -> None:
        """Join one client to an endpoint. Raises nothing: other connections do not depend on this one."""
        await asyncio.sleep(0)
        transport = client.transport
        if transport is None:
            return
        self._joined += 1
        self._measures.connections += 1
        try:
            if self._joined > MOST_CONNECTIONS:
                self._measures.joined("too_many")
                _reset(transport)
            else:
                await self._join(client, transport)
        except OSError as error:
            log.debug("connection broke", error=str(error))
        except Exception:
            log.exception("a connection could not be served")
        finally:
            self._joined -= 1
            self._measures.connections -= 1
            transport.close()

    async def _join(self, client: _End, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername") or ("",)
        found = await self._connect(str(peer[0]))
        if found is None:
            # As a Service without endpoints does: refuse, here by a reset.
            self._measures.joined("no_endpoint")
            _reset(transport)
            return
        upstream, flow = found
        client.moved = partial(self._flows.touch, flow)
        loop = asyncio.get_running_loop()
        try:
            _, end = await loop.create_connection(partial(_End, client.moved), sock=upstream)
        except BaseException:
            upstream.close()
            self._flows.close(flow)
            raise
        self._measures.joined("joined")
        end.join(client)
        client.join(end)
        if transport.is_closing() and end.transport is not None:
            end.transport.close()
        try:
            await asyncio.wait([client.lost, end.lost])
        finally:
            self._flows.close(flow)
            if end.transport is not None:
                end.transport.close()

    async def _connect(self, client: str) -> tuple[socket.socket, Flow] | None:
        """Return a connection to an endpoint, known as a flow since before it was made."""
        tried: set[Endpoint] = set()
        while True:
            port = self._table.behind(self._listener)
            endpoint = self._balancer.choose(port, client, tried) if port is not None else None
            if endpoint is None:
                return None
            flow = self._flows.open(endpoint, stream=True)
            try:
                sock = await self._dialer.connect(endpoint)
            except OSError as error:
                self._flows.close(flow)
                log.debug("endpoint refused", endpoint=str(endpoint), error=str(error))
                tried.add(endpoint)
            except BaseException:
                self._flows.close(flow)
                raise
            else:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock, flow


def _reset(transport: asyncio.Transport) -> None:
    """Close with a reset: an orderly end would look like an empty answer."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
