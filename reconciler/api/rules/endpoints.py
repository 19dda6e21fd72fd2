"""Rules of EndpointSlices."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import Problem, duplicate, each, invalid, required, too_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_MOST_ENDPOINTS = 1000
_MOST_ADDRESSES = 100
_CONTROLLER = "endpointslice-controller.k8s.io"


def endpoint_slice(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with an EndpointSlice."""
    kind = obj.get("addressType") or ""
    if not kind:
        yield required("endpoints", ("addressType",))
    if len(obj.get("endpoints") or ()) > _MOST_ENDPOINTS:
        yield too_many("endpoints", ("endpoints",), len(obj["endpoints"]), _MOST_ENDPOINTS)
    for path, endpoint in each(obj, "endpoints", ()):
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            yield required("endpoints", (*path, "addresses"), "must contain at least 1 address")
        elif len(addresses) > _MOST_ADDRESSES:
            yield too_many("endpoints", (*path, "addresses"), len(addresses), _MOST_ADDRESSES)
        for index, address in enumerate(addresses):
            wrong = _address_problem(address or "", kind)
            if wrong and not (_is_controllers(obj) and _is_loopback(address)):
                yield invalid("endpoints", (*path, "addresses", index), address, wrong)
    seen: set[str] = set()
    for path, port in each(obj, "ports", ()):
        name = port.get("name") or ""
        if name in seen:
            yield duplicate("endpoint-ports", (*path, "name"), name)
        seen.add(name)
        if name and (wrong := names.label_problem(name)):
            yield invalid("endpoint-ports", (*path, "name"), name, wrong)


def _is_controllers(obj: Object) -> bool:
    """Whether the EndpointSlice controller keeps it: where namespaces are forbidden, its Pods have 127.x addresses."""
    labels = (obj.get("metadata") or {}).get("labels") or {}
    return bool(labels.get("endpointslice.kubernetes.io/managed-by") == _CONTROLLER)


def _is_loopback(address: str) -> bool:
    return not names.address_problem(address) and ipaddress.ip_address(address).is_loopback


def _address_problem(address: str, kind: str) -> str:
    if kind == "FQDN":
        return names.subdomain_problem(address.removesuffix("."))
    if wrong := names.address_problem(address):
        return wrong
    version = ipaddress.ip_address(address).version
    if kind in ("IPv4", "IPv6") and f"IPv{version}" != kind:
        return f"must be an {kind} address"
    return names.routable_problem(address)


def endpoints(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with Endpoints."""
    for path, subset in each(obj, "subsets", ()):
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required("endpoints", path, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for here, address in each(subset, field, path):
                if wrong := names.address_problem(address.get("ip") or ""):
                    yield invalid("endpoints", (*here, "ip"), address.get("ip") or "", wrong)
        several = len(subset.get("ports") or ()) > 1
        for here, port in each(subset, "ports", path):
            name = port.get("name") or ""
            if several and not name:
                yield required("endpoint-ports", (*here, "name"))
            elif name and (wrong := names.label_problem(name)):
                yield invalid("endpoint-ports", (*here, "name"), name, wrong)
