"""What is listened on, and where connections go: the words of the routing table. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Endpoint(NamedTuple):
    """Where a connection may go."""

    address: str
    port: int


class PortKey(NamedTuple):
    """One port of one Service, or one hostPort of one Pod (``name`` is ``Pod/NAME`` then)."""

    namespace: str
    name: str
    port: str  # the port's name; empty where the Service has one port without a name
    local: bool = False  # only Pods of this node (internalTrafficPolicy, externalTrafficPolicy)


class Listener(NamedTuple):
    """An address and port that is served.

    ``outside``: on the host, for NodePort, LoadBalancer, externalIPs and a Pod's hostPort; without an address there, on those of ``--listen``.
    """

    address: str
    port: int
    protocol: str
    outside: bool = False


class ServicePort(NamedTuple):
    """What a Service says of one of its ports."""

    key: PortKey
    number: int
    affinity_seconds: float = 0.0
