"""UDP Services: all that one client sends goes to one endpoint, until it has been silent for a while."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import structlog

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    import socket

    from reconciler.proxy.balance import Balancer
    from reconciler.proxy.listeners import Endpoint, Listener
    from reconciler.proxy.table import RoutingTable
    from reconciler.runtime.cri import Network

log = structlog.get_logger(__name__)

#: A client silent for so long is forgotten, in seconds (as long as the kernel's connection tracking waits).
IDLE_SECONDS = 120.0
#: Clients of one listener at once, and datagrams of one that wait for its socket; more are dropped.
MOST_CLIENTS = 2048
MOST_WAITING = 16

Address = tuple[str, int]


class _Flow(asyncio.DatagramProtocol):
    """One client's datagrams to one endpoint and back."""

    def __init__(self, served: UdpListener, client: Address, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.waiting: list[bytes] = []
        self.transport: asyncio.DatagramTransport | None = None
        self._served = served
        self._client = client
        self.used = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        for data in self.waiting:
            self.transport.sendto(data)
        self.waiting.clear()

    def send(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.sendto(data)
        elif len(self.waiting) < MOST_WAITING:
            self.waiting.append(data)

    def datagram_received(self, data: bytes, addr: Address) -> None:  # noqa: ARG002
        self._served.answer(data, self._client)

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002
        # The endpoint refused: the client's next datagram goes to another.
        self._served.forget(self._client, self)


class UdpListener(asyncio.DatagramProtocol):
    """One bound socket of one Service port."""

    def __init__(
        self,
        listener: Listener,
        table: RoutingTable,
        balancer: Balancer,
        network: Network,
        group: asyncio.TaskGroup,
    ) -> None:
        self._listener = listener
        self._table = table
        self._balancer = balancer
        self._network = network
        self._group = group
        self._flows: dict[Address, _Flow] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def serve(self, sock: socket.socket) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)
        try:
            await loop.create_future()
        finally:
            transport.close()
            for client, flow in list(self._flows.items()):
                self.forget(client, flow)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        port = self._table.behind(self._listener)
        if port is None:
            return
        flow = self._flows.get(addr)
        if flow is not None and flow.endpoint not in self._table.backends(port.key):
            self.forget(addr, flow)
            flow = None
        if flow is None:
            endpoint = self._balancer.choose(port, addr[0])
            if endpoint is None or len(self._flows) >= MOST_CLIENTS:
                return
            flow = self._flows[addr] = _Flow(self, addr, endpoint)
            self._group.create_task(self._open(addr, flow))
        flow.used = asyncio.get_running_loop().time()
        flow.send(data)

    async def _open(self, client: Address, flow: _Flow) -> None:
        """Give a flow its socket, and forget it once its client is silent."""
        loop = asyncio.get_running_loop()
        try:
            (sock,) = await self._network.sockets(1, datagram=True)
            await loop.sock_connect(sock, tuple(flow.endpoint))
            await loop.create_datagram_endpoint(lambda: flow, sock=sock)
        except (OSError, RuntimeFailure) as error:
            log.debug("endpoint refused", endpoint=str(flow.endpoint), error=str(error))
            self.forget(client, flow)
            return
        if self._flows.get(client) is flow:
            loop.call_later(IDLE_SECONDS, self._look_at, client, flow)
        elif flow.transport is not None:
            flow.transport.close()

    def _look_at(self, client: Address, flow: _Flow) -> None:
        if self._flows.get(client) is not flow:
            return
        loop = asyncio.get_running_loop()
        left = flow.used + IDLE_SECONDS - loop.time()
        if left <= 0:
            self.forget(client, flow)
        else:
            loop.call_later(left, self._look_at, client, flow)

    def answer(self, data: bytes, client: Address) -> None:
        """Send an endpoint's datagram to the client."""
        flow = self._flows.get(client)
        if flow is not None and self._transport is not None:
            flow.used = asyncio.get_running_loop().time()
            with contextlib.suppress(OSError):
                self._transport.sendto(data, client)

    def forget(self, client: Address, flow: _Flow) -> None:
        """End a flow."""
        if self._flows.get(client) is flow:
            del self._flows[client]
        if flow.transport is not None:
            flow.transport.close()
