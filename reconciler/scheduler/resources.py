"""What a Pod asks for and what a Node has left: cpu, memory, Pods, hostPorts.

The Pods of a Node are summed only for a Pod that asks for something: without requests a plan costs O(1).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import name_of, uid_of
from reconciler.api.pods import is_finished
from reconciler.api.quantities import parse as quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

Amounts = dict[str, Fraction]


def requests_of(pod: Object) -> Amounts:
    """Return what a Pod asks for: the sum of its containers, or its greediest init container."""
    spec = pod["spec"]
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)
            continue
        for name, amount in asked.items():
            total[name] = max(total.get(name, Fraction(0)), amount)
    _add(total, {k: quantity(v) for k, v in (spec.get("overhead") or {}).items()})
    return total


def _requests(container: Object) -> Amounts:
    resources = container.get("resources") or {}
    return {k: quantity(v) for k, v in (resources.get("requests") or {}).items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Fraction(0)) + amount


def host_ports(pod: Object) -> Iterator[tuple[str, int]]:
    """Return the (protocol, port) pairs that a Pod takes on its Node."""
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*sidecars, *(spec.get("containers") or ())]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("protocol") or "TCP", int(port["hostPort"])


class Usage:
    """What is taken on the Nodes, from one Pod's point of view; summed on first need."""

    def __init__(self, pod: Object, snapshot: Snapshot) -> None:
        self._pod = pod
        self._snapshot = snapshot
        self._wanted = requests_of(pod)
        self._ports = set(host_ports(pod))
        self._taken: dict[str, Amounts] | None = None
        self._busy: dict[str, set[tuple[str, int]]] = {}

    def reason_against(self, node: Object) -> str:
        """Return what the Node lacks in kube-scheduler's words, or an empty string."""
        if not self._wanted and not self._ports:
            return ""
        taken = self.on(node)
        if self._ports & self._busy.get(name_of(node), set()):
            return "node(s) didn't have free ports for the requested pod ports"
        has = (node.get("status") or {}).get("allocatable") or {}
        for name, amount in self._wanted.items():
            if amount > quantity(has.get(name, 0)) - taken.get(name, Fraction(0)):
                return f"Insufficient {name}"
        if "pods" in has and taken.get("pods", Fraction(0)) + 1 > quantity(has["pods"]):
            return "Too many pods"
        return ""

    def on(self, node: Object) -> Amounts:
        """Return what the Pods of a Node ask for, and their number as ``pods``."""
        if self._taken is None:
            self._taken = self._sum()
        return self._taken.get(name_of(node), {})

    def _sum(self) -> dict[str, Amounts]:
        result: dict[str, Amounts] = {}
        for pod in self._snapshot.list(kinds.POD):
            node = pod["spec"].get("nodeName")
            if not node or is_finished(pod) or uid_of(pod) == uid_of(self._pod):
                continue
            total = result.setdefault(node, {})
            _add(total, requests_of(pod))
            _add(total, {"pods": Fraction(1)})
            self._busy.setdefault(node, set()).update(host_ports(pod))
        return result


def score(wanted: Amounts, taken: Amounts, node: Object) -> float:
    """Return how empty a Node would stay (LeastAllocated): 0 to 100."""
    has = (node.get("status") or {}).get("allocatable") or {}
    shares = []
    for name in ("cpu", "memory"):
        total = quantity(has.get(name, 0))
        if total > 0:
            zero = Fraction(0)
            left = total - taken.get(name, zero) - wanted.get(name, zero)
            shares.append(float(max(zero, left) / total))
    return 100 * sum(shares) / len(shares) if shares else 0.0
