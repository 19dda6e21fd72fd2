"""Choosing an endpoint: in turn, the same for the same client where asked, and not one that has just refused."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.clock import Clock
    from reconciler.proxy.listeners import Endpoint, PortKey, ServicePort
    from reconciler.proxy.table import RoutingTable

#: Clients whose affinity is remembered.
MOST_CLIENTS = 50_000


class Balancer:
    """Takes endpoints in turn (N05), with ClientIP affinity (N07)."""

    def __init__(self, table: RoutingTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._turn: dict[PortKey, int] = {}
        self._clients: OrderedDict[tuple[PortKey, str], tuple[Endpoint, float]] = OrderedDict()

    def choose(
        self, port: ServicePort, client: str, tried: Collection[Endpoint] = ()
    ) -> Endpoint | None:
        """Return an endpoint for a new connection; None where there is none left to try."""
        backends = self._table.backends(port.key)
        if not backends:
            return None
        if port.affinity_seconds:
            kept = self._clients.get((port.key, client))
            if (
                kept is not None
                and kept[0] in backends
                and kept[0] not in tried
                and self._clock.monotonic() - kept[1] < port.affinity_seconds
            ):
                self._remember(port, client, kept[0])
                return kept[0]
        turn = self._turn.get(port.key, -1) + 1
        for offset in range(len(backends)):
            endpoint = backends[(turn + offset) % len(backends)]
            if endpoint not in tried:
                self._turn[port.key] = (turn + offset) % len(backends)
                if port.affinity_seconds:
                    self._remember(port, client, endpoint)
                return endpoint
        return None

    def _remember(self, port: ServicePort, client: str, endpoint: Endpoint) -> None:
        self._clients[port.key, client] = (endpoint, self._clock.monotonic())
        self._clients.move_to_end((port.key, client))
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
