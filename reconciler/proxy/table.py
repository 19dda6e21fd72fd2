"""Services, EndpointSlices and the Pods with a hostPort become a routing table. Pure; every change costs what it touches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.proxy.hostports import host_ports_of
from reconciler.proxy.ingress import IngressTable
from reconciler.proxy.listeners import Endpoint, Listener, PortKey, ServicePort

if TYPE_CHECKING:
    from reconciler.api.objects import Object

SERVICE_LABEL = "kubernetes.io/service-name"

#: (namespace, name)
Name = tuple[str, str]


class Change(NamedTuple):
    """What one object's change did to the table."""

    added: frozenset[Listener] = frozenset()
    removed: frozenset[Listener] = frozenset()
    drained: frozenset[Endpoint] = frozenset()  # they take no new connection any more


class RoutingTable:
    """Which listeners there are, and where each may send new connections."""

    def __init__(self) -> None:
        self._services: dict[Name, Object] = {}
        self._born: dict[Name, str] = {}
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
        added, removed = self._claim(
            name, service, listeners_of(service) if service is not None else {}
        )
        if service is not None:
            self._ports[name] = ports_of(service)
        else:
            self._ports.pop(name, None)
        drained = self._resolve(name)
        return Change(added, removed, drained)

    def set_pod(self, name: Name, pod: Object | None) -> Change:
        """Take in a Pod that asks for ports of the host, as it is now (None: it is gone)."""
        place = (name[0], f"Pod/{name[1]}")
        wanted = host_ports_of(pod) if pod is not None else {}
        claims = {listener: port for listener, (port, _) in wanted.items()}
        added, removed = self._claim(place, pod, claims)
        before = {e for key in self._resolved.pop(place, ()) for e in self._backends.pop(key, ())}
        for port, endpoint in wanted.values():
            self._backends[port.key] = (endpoint,)
        if wanted:
            self._resolved[place] = tuple(port.key for port, _ in wanted.values())
        after = {endpoint for _, endpoint in wanted.values()}
        return Change(added, removed, frozenset(before - after))

    def _claim(
        self, name: Name, claimant: Object | None, now: dict[Listener, ServicePort]
    ) -> tuple[frozenset[Listener], frozenset[Listener]]:
        """Note what is listened on for a Service or Pod; returns the listeners that are new, and those that are no more."""
        before = self._by_service.get(name, frozenset())
        if claimant is not None:
            self._born[name] = claimant["metadata"].get("creationTimestamp") or ""
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
        if claimant is None:
            self._born.pop(name, None)
        return frozenset(added), frozenset(removed)

    def _age(self, name: Name) -> tuple[str, Name]:
        """Order Services and Pods by age: of two that want one address and port, the older has it."""
        return (self._born.get(name, ""), name)

    def conflicts(self) -> dict[Listener, tuple[Name, ...]]:
        """Return the listeners that more than one Service or Pod wants, with those that do not have them."""
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
        wanted = {p.key for p in self._ports.get(name, ())}
        wanted |= {self._claims[x][name].key for x in self._by_service.get(name, ())}
        before: set[Endpoint] = set()
        for key in self._resolved.pop(name, ()):
            before.update(self._backends.pop(key, ()))
        after: set[Endpoint] = set()
        publish = bool(((service or {}).get("spec") or {}).get("publishNotReadyAddresses"))
        for key in wanted:
            found = endpoints_of(pieces, key.port, publish_not_ready=publish, local=key.local)
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
    inside = spec.get("internalTrafficPolicy") == "Local"
    outside = spec.get("externalTrafficPolicy") == "Local"
    found: dict[Listener, ServicePort] = {}
    for port, entry in zip(spec.get("ports") or (), ports_of(service), strict=False):
        protocol, number = port.get("protocol") or "TCP", port["port"]
        from_outside = _of(entry, local=outside)
        if address != "None":
            found[Listener(address, number, protocol)] = _of(entry, local=inside)
        if port.get("nodePort"):
            found[Listener("", port["nodePort"], protocol, outside=True)] = from_outside
        if spec.get("type") == "LoadBalancer":
            found[Listener("", number, protocol, outside=True)] = from_outside
        for own in spec.get("externalIPs") or ():
            found[Listener(own, number, protocol, outside=True)] = from_outside
    return found


def _of(port: ServicePort, *, local: bool) -> ServicePort:
    return port._replace(key=port.key._replace(local=True)) if local else port


def endpoints_of(
    pieces: dict[str, Object],
    port_name: str,
    *,
    publish_not_ready: bool = False,
    local: bool = False,
) -> tuple[Endpoint, ...]:
    """Return the endpoints for new connections: the ready ones, else those that still serve while they end (KEP-1669).

    ``local``: only those on a node. There is one; what is elsewhere (slices made by hand) names none.
    """
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
            if local and not endpoint.get("nodeName"):
                continue
            conditions = endpoint.get("conditions") or {}
            targets = [Endpoint(a, ports[0]["port"]) for a in (endpoint.get("addresses") or ())[:1]]
            if conditions.get("ready") is not False or publish_not_ready:
                ready += targets
            elif conditions.get("terminating") and conditions.get("serving"):
                ending += targets
    return tuple(dict.fromkeys(ready or ending))
