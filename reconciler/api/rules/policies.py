"""Rules of NetworkPolicies and PodDisruptionBudgets."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.int_or_percent import int_or_percent
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_PEER = ("podSelector", "namespaceSelector", "ipBlock")
_TYPES = ("Ingress", "Egress")


def network_policy(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a NetworkPolicy."""
    spec = below(obj, "spec")
    yield from label_selector(spec.get("podSelector"), ("spec", "podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for path, rule in each(spec, direction, ("spec",)):
            for here, port in each(rule, "ports", path):
                yield from _port(port, here)
            for here, peer in each(rule, peers, path):
                yield from _peer(peer, here)
    kinds = spec.get("policyTypes") or ()
    if len(kinds) > 2:
        told = "may not specify more than two policyTypes"
        yield invalid("policy-types", ("spec", "policyTypes"), kinds, told)
        return
    for index, kind in enumerate(kinds):
        if kind not in _TYPES:
            yield unsupported("policy-types", ("spec", "policyTypes", index), kind, _TYPES)


def _port(port: Part, path: Path) -> Iterator[Problem]:
    number, last = port.get("port"), port.get("endPort")
    if number is not None and (wrong := names.port_problem(number)):
        yield invalid("policy-port", (*path, "port"), number, wrong)
    if last is None:
        return
    if number is None:
        yield required("policy-port", (*path, "port"), "must be specified when `endPort` is set")
    elif isinstance(number, str):
        told = "may not be specified when `port` is non-numeric"
        yield invalid("policy-port", (*path, "endPort"), last, told)
    elif last < number:
        yield invalid(
            "policy-port", (*path, "endPort"), last, "must be greater than or equal to `port`"
        )
    elif last > 65535:
        told = "must be between 1 and 65535, inclusive"
        yield invalid("policy-port", (*path, "endPort"), last, told)


def _peer(peer: Part, path: Path) -> Iterator[Problem]:
    found = [f for f in _PEER if peer.get(f) is not None]
    if not found:
        yield required("policy-peer", path, "must specify a peer")
    elif "ipBlock" in found and len(found) > 1:
        yield forbidden("policy-peer", path, "may not specify both ipBlock and another peer")
    for field in ("podSelector", "namespaceSelector"):
        yield from label_selector(peer.get(field), (*path, field))
    if "ipBlock" in found:
        yield from _block(peer["ipBlock"], (*path, "ipBlock"))


def _block(block: Part, path: Path) -> Iterator[Problem]:
    text = block.get("cidr") or ""
    if not text:
        yield required("ip-block", (*path, "cidr"))
        return
    if wrong := names.network_problem(text):
        yield invalid("ip-block", (*path, "cidr"), text, wrong)
        return
    network = ipaddress.ip_network(text, strict=False)
    for index, one in enumerate(block.get("except") or ()):
        here = (*path, "except", index)
        if wrong := names.network_problem(one):
            yield invalid("ip-block", here, one, wrong)
            continue
        inner = ipaddress.ip_network(one, strict=False)
        inside = (
            inner.version == network.version
            and inner.prefixlen > network.prefixlen
            and inner.network_address in network
        )
        if not inside:
            yield invalid("ip-block", here, one, "must be a strict subset of `cidr`")


def disruption_budget(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a PodDisruptionBudget."""
    spec = below(obj, "spec")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {f: spec[f] for f in ("minAvailable", "maxUnavailable")}
        told = "minAvailable and maxUnavailable cannot be both set"
        yield invalid("disruption-budget", ("spec",), shown, told)
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field)
        if value is not None:
            yield from int_or_percent(value, ("spec", field), rule="disruption-budget", whole=True)
    yield from label_selector(spec.get("selector"), ("spec", "selector"))
