"""Addresses and ports of Services: given out once, kept as long as the Service lives (N01, N10)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from reconciler.errors import Cause, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

#: Addresses at the beginning of the range that are only given to who asks for them (DNS has .10).
RESERVED = 16
NODE_PORTS = range(30_000, 32_768)


class ServiceAllocator:
    """Cluster addresses and node ports in use, by the uid of the Service that holds them."""

    def __init__(self, service_cidr: str) -> None:
        self._network = ipaddress.ip_network(service_cidr)
        self._addresses: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._next_address = 0
        self._next_port = 0

    def reset(self, services: Iterable[Object]) -> None:
        """Start anew from the Services that exist."""
        self._addresses.clear()
        self._ports.clear()
        for service in services:
            self._hold(service)

    def _hold(self, service: Object) -> None:
        uid = service["metadata"]["uid"]
        spec = service.get("spec") or {}
        address = spec.get("clusterIP")
        if address and address != "None":
            self._addresses[address] = uid
        for port in spec.get("ports") or ():
            if port.get("nodePort"):
                self._ports[port["nodePort"]] = uid

    def release(self, service: Object) -> None:
        """Give back what a deleted Service held."""
        uid = service["metadata"]["uid"]
        spec = service.get("spec") or {}
        if self._addresses.get(spec.get("clusterIP", "")) == uid:
            del self._addresses[spec["clusterIP"]]
        for port in spec.get("ports") or ():
            if self._ports.get(port.get("nodePort", 0)) == uid:
                del self._ports[port["nodePort"]]

    def fill(self, service: Object, before: Object | None, *, hold: bool = True) -> None:
        """Give a Service (the caller's own copy) the address and ports it needs, and hold them unless it is a dry run.

        Raises ``Invalid`` for what is taken.
        """
        spec = service["spec"]
        old = (before or {}).get("spec") or {}
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
        else:
            self._fill_address(service, spec, old)
        self._fill_ports(service, spec, old)
        if not hold:
            return
        if before is not None:
            self.release(before)
        self._hold(service)

    def _fill_address(self, service: Object, spec: dict[str, Any], old: dict[str, Any]) -> None:
        address = spec.get("clusterIP") or old.get("clusterIP") or ""
        uid = service["metadata"]["uid"]
        if not address:
            address = self._free_address()
        elif address != "None":
            held = self._addresses.get(address)
            if held not in (None, uid):
                raise _invalid(
                    service, "spec.clusterIPs", address, "provided IP is already allocated"
                )
            if not self._contains(address):
                raise _invalid(
                    service,
                    "spec.clusterIPs",
                    address,
                    f"the provided IP is not in the valid range {self._network}",
                )
        spec["clusterIP"] = address
        spec["clusterIPs"] = [address]

    def _contains(self, address: str) -> bool:
        try:
            return ipaddress.ip_address(address) in self._network
        except ValueError:
            return False

    def _free_address(self) -> str:
        size = self._network.num_addresses - RESERVED - 1
        for offset in range(size):
            at = RESERVED + (self._next_address + offset) % size
            address = str(self._network[at])
            if address not in self._addresses:
                self._next_address = at - RESERVED + 1
                return address
        raise Invalid(f"no address is free in {self._network}", kind="Service")

    def _fill_ports(self, service: Object, spec: dict[str, Any], old: dict[str, Any]) -> None:
        outside = spec.get("type") in ("NodePort", "LoadBalancer")
        uid = service["metadata"]["uid"]
        held = {
            (p.get("name"), p.get("port"), p.get("protocol")): p.get("nodePort")
            for p in old.get("ports") or ()
        }
        for index, port in enumerate(spec.get("ports") or ()):
            if not outside:
                port.pop("nodePort", None)
                continue
            wanted = port.get("nodePort") or held.get(
                (port.get("name"), port.get("port"), port.get("protocol"))
            )
            if wanted and self._ports.get(wanted) not in (None, uid):
                raise _invalid(
                    service,
                    f"spec.ports[{index}].nodePort",
                    wanted,
                    "provided port is already allocated",
                )
            port["nodePort"] = wanted or self._free_port()

    def _free_port(self) -> int:
        for offset in range(len(NODE_PORTS)):
            at = (self._next_port + offset) % len(NODE_PORTS)
            if NODE_PORTS[at] not in self._ports:
                self._next_port = at + 1
                return NODE_PORTS[at]
        raise Invalid("no node port is free in 30000-32767", kind="Service")


def _invalid(service: Object, field: str, value: Any, why: str) -> Invalid:
    name = service["metadata"]["name"]
    shown = f'"{value}"' if isinstance(value, str) else value
    message = f"Invalid value: {shown}: {why}"
    return Invalid(
        f'Service "{name}" is invalid: {field}: {message}',
        kind="Service",
        name=name,
        causes=(Cause("FieldValueInvalid", message, field),),
    )
