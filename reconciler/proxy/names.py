"""Which records a name of the cluster has (Kubernetes DNS specification 1.1.0). Pure."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from reconciler.proxy import message
from reconciler.proxy.listeners import PortKey
from reconciler.proxy.message import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object
    from reconciler.proxy.table import RoutingTable


class Found(NamedTuple):
    """What is known of a name: whether it exists, and its records of the type asked for."""

    exists: bool
    records: list[Record]


class ClusterNames:
    """Answers for one cluster domain from the routing table."""

    def __init__(self, table: RoutingTable, domain: str) -> None:
        self._table = table
        self.domain = domain.strip(".").lower()

    def is_ours(self, name: str) -> bool:
        """Whether a name is the cluster's to answer for: its domain's, or one of its addresses'."""
        if name == self.domain or name.endswith("." + self.domain):
            return True
        address = _reverse(name)
        return address is not None and bool(self._table.names_of(address))

    def look_up(self, name: str, kind: int) -> Found:
        """Return the records of a name in the cluster domain."""
        address = _reverse(name)
        if address is not None:
            return self._pointer(name, address, kind)
        labels = name.removesuffix(self.domain).strip(".").split(".")
        match labels:
            case [""] | ["svc"] | ["pod"]:
                return Found(exists=True, records=[])
            case ["dns-version"]:
                return Found(exists=True, records=[])
            case [address, _, "pod"]:
                return self._pod(name, address, kind)
            case [_, "svc"]:
                return Found(exists=True, records=[])
            case [service, namespace, "svc"]:
                return self._service(name, namespace, service, kind)
            case [host, service, namespace, "svc"] if not host.startswith("_"):
                return self._host(name, namespace, service, host, kind)
            case [port, protocol, service, namespace, "svc"] if port.startswith("_"):
                return self._srv(name, namespace, service, port[1:], protocol[1:], kind)
        return Found(exists=False, records=[])

    def _pointer(self, name: str, address: str, kind: int) -> Found:
        found = [
            Record(
                name,
                message.PTR,
                ".".join(filter(None, (host, *reversed(place), "svc", self.domain))),
            )
            for place, host in self._table.names_of(address)
        ]
        return Found(bool(found), found if _wants(kind, message.PTR) else [])

    def _pod(self, name: str, address: str, kind: int) -> Found:
        try:
            ip = str(ipaddress.IPv4Address(address.replace("-", ".")))
        except ValueError:
            return Found(exists=False, records=[])
        return Found(
            exists=True, records=[Record(name, message.A, ip)] if _wants(kind, message.A) else []
        )

    def _service(self, name: str, namespace: str, service: str, kind: int) -> Found:
        obj = self._table.service((namespace, service))
        if obj is None:
            return Found(exists=False, records=[])
        spec = obj.get("spec") or {}
        if spec.get("type") == "ExternalName":
            target = str(spec.get("externalName", "")).rstrip(".")
            return Found(exists=True, records=[Record(name, message.CNAME, target)])
        address = spec.get("clusterIP")
        shared = bool(address) and address != "None"
        wanted = [str(address)] if shared else [a for a, _ in self._ready(obj)]
        if not _wants(kind, message.A):
            return Found(exists=True, records=[])
        return Found(bool(wanted), [Record(name, message.A, a) for a in wanted])

    def _ready(self, service: Object) -> Iterator[tuple[str, str]]:
        """Yield (address, host name) of a Service's endpoints that may be told."""
        meta, spec = service["metadata"], service.get("spec") or {}
        publish = bool(spec.get("publishNotReadyAddresses"))
        seen: set[str] = set()
        for piece in self._table.slices((meta["namespace"], meta["name"])):
            for endpoint in piece.get("endpoints") or ():
                ready = (endpoint.get("conditions") or {}).get("ready") is not False
                for address in endpoint.get("addresses") or ():
                    if (ready or publish) and address not in seen:
                        seen.add(address)
                        yield address, endpoint.get("hostname") or ""

    def _host(self, name: str, namespace: str, service: str, host: str, kind: int) -> Found:
        obj = self._table.service((namespace, service))
        if obj is None or (obj.get("spec") or {}).get("clusterIP") != "None":
            return Found(exists=False, records=[])
        found = [a for a, h in self._ready(obj) if host in (h, a.replace(".", "-"))]
        records = [Record(name, message.A, a) for a in found] if _wants(kind, message.A) else []
        return Found(bool(found), records)

    def _srv(
        self, name: str, namespace: str, service: str, port: str, protocol: str, kind: int
    ) -> Found:
        obj = self._table.service((namespace, service))
        ports = ((obj or {}).get("spec") or {}).get("ports") or ()
        matching = [
            p for p in ports
            if (p.get("name") or "") == port and (p.get("protocol") or "TCP").lower() == protocol
        ]  # fmt: skip
        if obj is None or not matching:
            return Found(exists=False, records=[])
        if not _wants(kind, message.SRV):
            return Found(exists=True, records=[])
        base = f"{service}.{namespace}.svc.{self.domain}"
        number = int(matching[0]["port"])
        if (obj.get("spec") or {}).get("clusterIP") != "None":
            return Found(exists=True, records=[Record(name, message.SRV, (0, 100, number, base))])
        # A headless Service has no port of its own: the Pod's is what a client connects to.
        records = [
            Record(name, message.SRV, (0, 100, e.port, f"{hosts[e.address]}.{base}"))
            for hosts in [{a: h or a.replace(".", "-") for a, h in self._ready(obj)}]
            for e in self._table.backends(PortKey(namespace, service, port))
            if e.address in hosts
        ]
        return Found(bool(records), records)

    def soa(self) -> Record:
        """Return the record that says for how long a name may be taken not to exist."""
        return Record(self.domain, message.SOA, self.domain)


def _reverse(name: str) -> str | None:
    """Return the address that a name of ``in-addr.arpa`` stands for."""
    if not name.endswith(".in-addr.arpa"):
        return None
    try:
        return str(ipaddress.IPv4Address(".".join(name.split(".")[3::-1])))
    except ValueError:
        return None


def _wants(kind: int, what: int) -> bool:
    return kind in (what, message.ANY)
