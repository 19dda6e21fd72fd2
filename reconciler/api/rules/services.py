"""Rules of Services."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from reconciler.api import names
from reconciler.api.rules.metadata import check_labels
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.api.objects import Object

_NODE_PORTS = range(30_000, 32_768)
_SEVERAL = {"clusterIPs": "cluster IPs", "ipFamilies": "IP families"}
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_KUBELET = 10250
_OUT_OF_RANGE = "must be between 1 and 65535, inclusive"


def service(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Service."""
    spec = below(obj, "spec")
    kind = spec.get("type") or "ClusterIP"
    headless = spec.get("clusterIP") == "None"
    # What another type left behind in one that is stored is dropped, not refused.
    stored = bool(below(obj, "metadata").get("uid"))
    if kind == "ExternalName":
        name = (spec.get("externalName") or "").removesuffix(".")
        if not name:
            yield required("external-name", ("spec", "externalName"))
        elif wrong := names.subdomain_problem(name):
            yield invalid("external-name", ("spec", "externalName"), name, wrong)
        if spec.get("clusterIP") or spec.get("clusterIPs"):
            told = "may not be set for ExternalName services"
            yield forbidden("cluster-ip", ("spec", "clusterIP"), told, named="spec.clusterIPs")
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if spec.get(field) and not stored:
                told = "may not be set for ExternalName services"
                yield forbidden("ip-families", ("spec", field), told)
    else:
        if not spec.get("ports") and not headless:
            yield required("service-ports", ("spec", "ports"))
        yield from _addresses(spec, kind, stored=stored)
    yield from _ports(spec, kind)
    if held := spec.get("selector"):
        yield from check_labels(held, ("spec", "selector"), rule="selector")
    yield from _outside(spec, kind)
    yield from _traffic(spec, kind, stored=stored)
    yield from _affinity(spec)


def _addresses(spec: Part, kind: str, *, stored: bool) -> Iterator[Problem]:
    given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    path: Path = ("spec", "clusterIPs") if spec.get("clusterIPs") else ("spec", "clusterIP")
    for index, address in enumerate(given):
        here = (*path, index) if path[1] == "clusterIPs" else path
        named = f"spec.clusterIPs[{index}]"
        if address == "None":
            if kind != "ClusterIP":
                told = f"may not be set to 'None' for {kind} services"
                yield invalid("cluster-ip", here, address, told, named=named)
        elif wrong := names.address_problem(address):
            yield invalid("cluster-ip", here, address, wrong, named=named)
    if not stored and spec.get("clusterIPs") and spec.get("clusterIP") not in (None, "", given[0]):
        yield invalid("cluster-ip", path, given, "first value must match `clusterIP`")
    if "None" in given and len(given) > 1:
        yield invalid("cluster-ip", path, given, "'None' must be the first and only value")
    yield from _families(spec, given)


def _families(spec: Part, addresses: Sequence[str]) -> Iterator[Problem]:
    """Yield where families, addresses and policy say different things of how many there are, and which."""
    families, policy = spec.get("ipFamilies") or (), spec.get("ipFamilyPolicy") or "SingleStack"
    for field, held in (("clusterIPs", addresses), ("ipFamilies", families)):
        if len(held) > 2:
            yield invalid("ip-families", ("spec", field), held, "may only hold up to 2 values")
        elif len(held) == 2 and policy == "SingleStack" and "None" not in held:
            told = f"must be RequireDualStack or PreferDualStack when multiple {_SEVERAL[field]} are specified"
            yield invalid("ip-families", ("spec", "ipFamilyPolicy"), policy, told)
    plain = [a for a in addresses if a != "None" and not names.address_problem(a)]
    of = [f"IPv{ipaddress.ip_address(a).version}" for a in plain]
    if len(of) == 2 and of[0] == of[1]:
        told = "may specify no more than one IP for each IP family"
        yield invalid("cluster-ip", ("spec", "clusterIPs"), list(addresses), told)
    elif plain == list(addresses):
        for index, (address, is_, wanted) in enumerate(zip(plain, of, families, strict=False)):
            if is_ != wanted and wanted in ("IPv4", "IPv6"):
                told = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
                where = (
                    ("spec", "clusterIPs", index)
                    if spec.get("clusterIPs")
                    else ("spec", "clusterIP")
                )
                yield invalid("cluster-ip", where, address, told, named=f"spec.clusterIPs[{index}]")
    seen: set[str] = set()
    for index, family in enumerate(families):
        if family in seen:
            yield duplicate("ip-families", ("spec", "ipFamilies", index), family)
        seen.add(family)


def _ports(spec: Part, kind: str) -> Iterator[Problem]:
    several = len(spec.get("ports") or ()) > 1
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    seen_nodes: set[tuple[Any, Any]] = set()
    for path, port in each(spec, "ports", ("spec",)):
        number, name = port.get("port") or 0, port.get("name") or ""
        protocol = port.get("protocol") or "TCP"
        yield from _number(number, kind, (*path, "port"))
        if not name and several:
            yield required("port-name", (*path, "name"))
        if name:
            if wrong := names.label_problem(name):
                yield invalid("port-name", (*path, "name"), name, wrong)
            if name in seen_names:
                yield duplicate("port-name", (*path, "name"), name)
            seen_names.add(name)
        if (protocol, number) in seen_ports:
            yield duplicate("service-ports", path, {"port": number, "protocol": protocol})
        seen_ports.add((protocol, number))
        target = port.get("targetPort")
        if target and (wrong := names.port_problem(target)):
            hint = f"write it without quotes: {target}" if str(target).isdigit() else ""
            yield invalid("target-port", (*path, "targetPort"), target, wrong, hint=hint)
        protocol_name = port.get("appProtocol")
        if protocol_name and (wrong := names.qualified_problem(protocol_name)):
            yield invalid("service-ports", (*path, "appProtocol"), protocol_name, wrong)
        if node := port.get("nodePort"):
            yield from _node_port(node, kind, (*path, "nodePort"))
            if (protocol, node) in seen_nodes:
                yield duplicate("node-port", (*path, "nodePort"), node)
            seen_nodes.add((protocol, node))


def _number(number: int, kind: str, path: Path) -> Iterator[Problem]:
    if not 0 < number < 65536:
        yield invalid("port-number", path, number, _OUT_OF_RANGE)
    elif number == _KUBELET and kind == "LoadBalancer":
        told = "may not expose port 10250 externally since it is used by kubelet"
        yield invalid("port-number", path, number, told)


def _node_port(node: int, kind: str, path: Path) -> Iterator[Problem]:
    if kind in ("ClusterIP", "ExternalName"):
        yield forbidden("node-port", path, f"may not be used when `type` is '{kind}'")
    elif node not in _NODE_PORTS:
        told = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        yield invalid("node-port", path, node, told)


def _outside(spec: Part, kind: str) -> Iterator[Problem]:
    addresses = spec.get("externalIPs") or ()
    for index, address in enumerate(addresses):
        if wrong := names.routable_problem(address):
            yield invalid("external-ips", ("spec", "externalIPs", index), address, wrong)
    policy = spec.get("externalTrafficPolicy")
    if policy and kind not in ("NodePort", "LoadBalancer") and not addresses:
        told = "may only be set for externally-accessible services"
        yield invalid("traffic-policy", ("spec", "externalTrafficPolicy"), policy, told)
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and kind != "LoadBalancer":
        told = "may only be used when `type` is 'LoadBalancer'"
        yield forbidden(
            "load-balancer",
            ("spec", "loadBalancerSourceRanges"),
            told,
            named="spec.LoadBalancerSourceRanges",
        )
    for index, one in enumerate(ranges):
        if wrong := names.network_problem((one or "").strip()):
            named = f"spec.LoadBalancerSourceRanges[{index}]"
            yield invalid(
                "load-balancer",
                ("spec", "loadBalancerSourceRanges", index),
                one,
                wrong,
                named=named,
            )
    name = spec.get("loadBalancerClass")
    if name is not None:
        if kind != "LoadBalancer":
            told = "may only be used when `type` is 'LoadBalancer'"
            yield forbidden("load-balancer", ("spec", "loadBalancerClass"), told)
        elif wrong := names.qualified_problem(name):
            yield invalid("load-balancer", ("spec", "loadBalancerClass"), name, wrong)


def _traffic(spec: Part, kind: str, *, stored: bool) -> Iterator[Problem]:
    if (
        not stored
        and spec.get("allocateLoadBalancerNodePorts") is not None
        and kind != "LoadBalancer"
    ):
        told = "may only be used when `type` is 'LoadBalancer'"
        yield forbidden("load-balancer", ("spec", "allocateLoadBalancerNodePorts"), told)
    check = spec.get("healthCheckNodePort")
    if (
        check
        and not stored
        and not (kind == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")
    ):
        told = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        yield invalid("traffic-policy", ("spec", "healthCheckNodePort"), check, told)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        at = ("spec", "trafficDistribution")
        yield unsupported("traffic-policy", at, distribution, _DISTRIBUTIONS)


def _affinity(spec: Part) -> Iterator[Problem]:
    if spec.get("sessionAffinity") != "ClientIP":
        return
    seconds = below(below(spec, "sessionAffinityConfig"), "clientIP").get("timeoutSeconds")
    if seconds is not None and not 0 < seconds <= 86400:
        path = ("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        yield invalid(
            "session-affinity", path, seconds, "must be greater than 0 and less than 86400"
        )
