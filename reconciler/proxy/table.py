"""Services and EndpointSlices become a routing table. Pure; every change costs what it touches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.proxy.ingress import IngressTable

if TYPE_CHECKING:
    from reconciler.api.objects import Object

SERVICE_LABEL = "kubernetes.io/service-name"

#: (namespace, name)
Name = tuple[str, str]


class Endpoint(NamedTuple):
    """Where a connection may go."""

    address: str
    port: int


class PortKey(NamedTuple):
    """One port of one Service."""

    namespace: str
    name: str
    port: str  # the port's name; empty where the Service has one port without a name


class Listener(NamedTuple):
    """An address and port that is served. ``outside``: on the host, for NodePort and LoadBalancer."""

    address: str
    port: int
    protocol: str
    outside: bool = False


class ServicePort(NamedTuple):
    """What a Service says of one of its ports."""

    key: PortKey
    number: int
    affinity_seconds: float = 0.0


class Change(NamedTuple):
    """What one object's change did to the table."""

    added: frozenset[Listener] = frozenset()
    removed: frozenset[Listener] = frozenset()
    drained: frozenset[Endpoint] = frozenset()  # they take no new connection any more


class RoutingTable:
    """Which listeners there are, and where each may send new connections."""

    def __init__(self) -> None:
        self._services: dict[Name, Object] = {}
        self._slices: dict[Name, dict[str, Object]] = {}
        self._listeners: dict[Listener, ServicePort] = {}
        self._addresses: dict[str, set[tuple[Name, str]]] = {}
        self._named: dict[Name, frozenset[tuple[str, str]]] = {}
        self._claims: dict[Listener, dict[Name, ServicePort]] = {}
        self._by_service: dict[Name, frozenset[Listener]] = {}
        self._backends: dict[PortKey, tuple[Endpoint, ...]] = {}
        self._ports: dict[Name, tuple[ServicePort, ...]] = {}
        self._resolved: dict[Name, tuple[PortKey, ...]] = {}
        self.ingress = IngressTable()

    # -- questions -----------------------------------------------------------------------------------------------

    def listeners(self) -> dict[Listener, ServicePort]:
        """Return every listener with the Service port behind it."""
        return dict(self._listeners)

    def behind(self, listener: Listener) -> ServicePort | None:
        """Return the Service port that a listener serves."""
        return self._listeners.get(listener)

    def backends(self, key: PortKey) -> tuple[Endpoint, ...]:
        """Return the endpoints that may get a new connection."""
        return self._backends.get(key, ())

    def service(self, name: Name) -> Object | None:
        return self._services.get(name)

    def slices(self, name: Name) -> list[Object]:
        """Return the EndpointSlices of a Service."""
        return list(self._slices.get(name, {}).values())

    def names_of(self, address: str) -> list[tuple[Name, str]]:
        """Return the (Service, host name) pairs that an address stands for; no host for a Service's own address."""
        return sorted(self._addresses.get(address, ()))

    def find_port(self, namespace: str, service: str, port: str | int) -> ServicePort | None:
        """Return a Service's port by its number or name, as an Ingress names it."""
        for found in self._ports.get((namespace, service), ()):
            if port in (found.number, found.key.port) and port != "":
                return found
        return None

    # -- changes -------------------------------------------------------------------------------------------------

    def set_service(self, name: Name, service: Object | None) -> Change:
        """Take in a Service as it is now (None: it is gone)."""
        if service is None:
            self._services.pop(name, None)
        else:
            self._services[name] = service
        before = self._by_service.get(name, frozenset())
        now = listeners_of(service) if service is not None else {}
        added, removed = set(), set()
        for listener in before | now.keys():
            claims = self._claims.setdefault(listener, {})
            if listener in now:
                claims[name] = now[listener]
            else:
                claims.pop(name, None)
            if claims:
                if listener not in self._listeners:
                    added.add(listener)
                self._listeners[listener] = claims[min(claims, key=self._age)]
            else:
                del self._claims[listener], self._listeners[listener]
                removed.add(listener)
        if now:
            self._by_service[name] = frozenset(now)
        else:
            self._by_service.pop(name, None)
        if service is not None:
            self._ports[name] = ports_of(service)
        else:
            self._ports.pop(name, None)
        drained = self._resolve(name)
        return Change(frozenset(added), frozenset(removed), drained)

    def _age(self, name: Name) -> tuple[str, Name]:
        """Order Services by age: of two that want one address and port, the older has it."""
        service = self._services.get(name) or {"metadata": {}}
        return (service["metadata"].get("creationTimestamp") or "", name)

    def conflicts(self) -> dict[Listener, tuple[Name, ...]]:
        """Return the listeners that more than one Service wants, with those that do not have them."""
        return {
            listener: tuple(sorted(claims, key=self._age)[1:])
            for listener, claims in self._claims.items()
            if len(claims) > 1
        }

    def set_slice(self, name: Name, slice_name: str, piece: Object | None) -> Change:
        """Take in an EndpointSlice of a Service as it is now (None: it is gone)."""
        pieces = self._slices.setdefault(name, {})
        if piece is None:
            pieces.pop(slice_name, None)
            if not pieces:
                del self._slices[name]
        else:
            pieces[slice_name] = piece
        return Change(drained=self._resolve(name))

    def _name(self, service: Name, now: frozenset[tuple[str, str]]) -> None:
        """Note which (address, host name) pairs belong to a Service."""
        before = self._named.pop(service, frozenset())
        if now:
            self._named[service] = now
        for address, host in before - now:
            self._addresses[address].discard((service, host))
            if not self._addresses[address]:
                del self._addresses[address]
        for address, host in now - before:
            self._addresses.setdefault(address, set()).add((service, host))

    def _resolve(self, name: Name) -> frozenset[Endpoint]:
        """Work out a Service's backends anew; returns those that were there and are not any more."""
        service = self._services.get(name)
        pieces = self._slices.get(name, {})
        wanted = {p.key: p for p in self._ports.get(name, ())}
        before: set[Endpoint] = set()
        for key in self._resolved.pop(name, ()):
            before.update(self._backends.pop(key, ()))
        after: set[Endpoint] = set()
        publish = bool(((service or {}).get("spec") or {}).get("publishNotReadyAddresses"))
        for key in wanted:
            found = endpoints_of(pieces, key.port, publish_not_ready=publish)
            if found:
                self._backends[key] = found
                after.update(found)
        self._name(name, frozenset(addresses_of(service, pieces)) if service else frozenset())
        if wanted:
            self._resolved[name] = tuple(wanted)
        return frozenset(before - after)


def addresses_of(service: Object, pieces: dict[str, Object]) -> set[tuple[str, str]]:
    """Return the (address, host name) pairs of a Service: its own, or a headless one's named endpoints."""
    address = (service.get("spec") or {}).get("clusterIP")
    if address and address != "None":
        return {(address, "")}
    return {
        (address, endpoint["hostname"])
        for piece in pieces.values()
        for endpoint in piece.get("endpoints") or ()
        if endpoint.get("hostname")
        for address in endpoint.get("addresses") or ()
    }


def slice_service(piece: Object) -> Name | None:
    """Return the Service that an EndpointSlice belongs to."""
    meta = piece["metadata"]
    service = (meta.get("labels") or {}).get(SERVICE_LABEL)
    return (meta["namespace"], service) if service else None


def ports_of(service: Object) -> tuple[ServicePort, ...]:
    """Return the ports of a Service that has backends."""
    meta, spec = service["metadata"], service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return ()
    affinity = 0.0
    if spec.get("sessionAffinity") == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = float(config.get("timeoutSeconds", 10800))
    return tuple(
        ServicePort(
            PortKey(meta["namespace"], meta["name"], port.get("name") or ""), port["port"], affinity
        )
        for port in spec.get("ports") or ()
    )


def listeners_of(service: Object) -> dict[Listener, ServicePort]:
    """Return what is listened on for a Service."""
    spec = service.get("spec") or {}
    address = spec.get("clusterIP") or "None"
    found: dict[Listener, ServicePort] = {}
    for port, entry in zip(spec.get("ports") or (), ports_of(service), strict=False):
        protocol = port.get("protocol") or "TCP"
        if address != "None":
            found[Listener(address, port["port"], protocol)] = entry
        if port.get("nodePort"):
            found[Listener("", port["nodePort"], protocol, outside=True)] = entry
        if spec.get("type") == "LoadBalancer":
            found[Listener("", port["port"], protocol, outside=True)] = entry
    return found


def endpoints_of(
    pieces: dict[str, Object], port_name: str, *, publish_not_ready: bool = False
) -> tuple[Endpoint, ...]:
    """Return the endpoints for new connections: the ready ones, else those that still serve while they end (KEP-1669)."""
    ready: list[Endpoint] = []
    ending: list[Endpoint] = []
    for name in sorted(pieces):
        piece = pieces[name]
        if piece.get("addressType", "IPv4") != "IPv4":
            continue
        ports = [p for p in piece.get("ports") or () if (p.get("name") or "") == port_name]
        if not ports or not ports[0].get("port"):
            continue
        for endpoint in piece.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            targets = [Endpoint(a, ports[0]["port"]) for a in (endpoint.get("addresses") or ())[:1]]
            if conditions.get("ready") is not False or publish_not_ready:
                ready += targets
            elif conditions.get("terminating") and conditions.get("serving"):
                ending += targets
    return tuple(dict.fromkeys(ready or ending))
