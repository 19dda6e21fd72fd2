"""What goes through the proxy, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.telemetry.measures import SHORT, Counter, Histogram, gauge

if TYPE_CHECKING:
    from reconciler.proxy.table import RoutingTable
    from reconciler.telemetry.measures import Family

#: What nginx writes for a client that has gone before it was answered.
CLIENT_CLOSED = 499


class ProxyMeasures:
    """Counted by listeners and by the Ingress."""

    def __init__(self) -> None:
        self.clients = 0  # connections to the Ingress now
        self.connections = 0  # connections to Services over TCP now
        self._requests = Counter(
            "reconciler_ingress_requests",
            "Requests by the Service they went to and the answer's code (499: the client went first).",
            "namespace", "service", "code",
        )  # fmt: skip
        self._took = Histogram(
            "reconciler_ingress_request_duration_seconds",
            "From a request's head to the end of its answer.",
            bounds=SHORT,
        )
        self._joined = Counter(
            "reconciler_proxy_connections",
            "Connections to Services over TCP, by what came of them.",
            "result",
        )

    def answered(self, service: tuple[str, str], code: int, seconds: float) -> None:
        """A request is over. ``service``: (namespace, name), empty for one that no Ingress names."""
        self._requests.add(*service, str(code or CLIENT_CLOSED))
        self._took.observe(seconds)

    def joined(self, result: str) -> None:
        """A connection was joined to an endpoint, or refused."""
        self._joined.add(result)

    def families(self, table: RoutingTable, problems: int) -> list[Family]:
        """Return the figures as they are now."""
        ports = set(table.listeners().values())
        endpoints = sum(len(table.backends(port.key)) for port in ports)
        now = (
            ("reconciler_ingress_open_connections", "Clients of the Ingress now.", self.clients),
            (
                "reconciler_proxy_open_connections",
                "TCP connections to Services now.",
                self.connections,
            ),
            ("reconciler_proxy_service_ports", "Ports of Services that are served.", len(ports)),
            ("reconciler_proxy_endpoints", "Ready endpoints behind those ports.", endpoints),
            ("reconciler_proxy_problems", "What cannot be served now (see `status`).", problems),
        )
        return [
            *(gauge(name, text, (), [((), value)]) for name, text, value in now),
            self._requests.family(),
            self._took.family(),
            self._joined.family(),
        ]
