"""TCP Services: each address and port is listened on, each connection is joined to one to an endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import structlog

from reconciler.proxy.ends import Conversation, End

if TYPE_CHECKING:
    from reconciler.proxy.balance import Balancer
    from reconciler.proxy.dial import Dialer
    from reconciler.proxy.flows import Flow, Flows
    from reconciler.proxy.listeners import Endpoint, Listener
    from reconciler.proxy.measures import ProxyMeasures
    from reconciler.proxy.table import RoutingTable

log = structlog.get_logger(__name__)

#: Connections of one listener at once; more are reset.
MOST_CONNECTIONS = 16_384


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

        def made() -> End:
            end = End()
            self._group.create_task(self._serve_one(end))
            return end

        server = await loop.create_server(made, sock=sock)
        try:
            await loop.create_future()
        finally:
            server.close()

    async def _serve_one(self, client: End) -> None:
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

    async def _join(self, client: End, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername") or ("",)
        conversation = Conversation()
        while not client.lost.done():
            found = await self._connect(str(peer[0]))
            if found is None:
                # As a Service without endpoints does: refuse, here by a reset.
                self._measures.joined("no_endpoint")
                _reset(transport)
                return
            upstream, flow = found
            try:
                await self._pair(client, transport, conversation, upstream, flow)
            finally:
                self._flows.close(flow)

    async def _pair(
        self,
        client: End,
        transport: asyncio.Transport,
        conversation: Conversation,
        upstream: socket.socket,
        flow: Flow,
    ) -> None:
        """Join a client to an endpoint until both have ended, or until the client's next request goes to another."""
        loop = asyncio.get_running_loop()
        parted: asyncio.Future[None] = loop.create_future()

        def from_client(data: bytes) -> bool:
            self._flows.touch(flow)
            if not (conversation.asked(data) and flow.leaving) or parted.done():
                return False
            client.part(data)
            parted.set_result(None)
            return True

        def from_endpoint(_: bytes) -> bool:
            self._flows.touch(flow)
            conversation.answered()
            return False

        try:
            _, end = await loop.create_connection(End, sock=upstream)
        except BaseException:
            upstream.close()
            raise
        self._measures.joined("joined")
        client.tap, end.tap = from_client, from_endpoint
        end.join(client)
        client.join(end)
        if transport.is_closing() and end.transport is not None:
            end.transport.close()
        try:
            waiting: set[asyncio.Future[None]] = {client.lost, end.lost, parted}
            while parted in waiting and len(waiting) > 1:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if parted.done():
                end.other = None
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
