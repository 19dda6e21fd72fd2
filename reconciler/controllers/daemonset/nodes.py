"""Which Nodes a DaemonSet's Pods belong on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import name_of
from reconciler.api.placement import is_selected, untolerated

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: A daemon's Pod stays through a Node's troubles: what kube-controller-manager adds to its tolerations.
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Fit(NamedTuple):
    """Whether a Pod should be made on a Node, and whether one that is there may stay."""

    run: bool
    stay: bool


def tolerations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a Pod spec's tolerations and those of every daemon."""
    found = list(spec.get("tolerations") or ())
    for key, effect in (*_TOLERATED, *((_NETWORK,) if spec.get("hostNetwork") else ())):
        wanted = {"key": key, "operator": "Exists", "effect": effect}
        if wanted not in found:
            found.append(wanted)
    return found


def fit(spec: dict[str, Any], node: Object) -> Fit:
    """Judge a Node for a template's Pod spec: its name, selector, affinity and taints."""
    if spec.get("nodeName") not in (None, "", name_of(node)) or not is_selected(spec, node):
        return Fit(run=False, stay=False)
    effects = {taint.get("effect") for taint in untolerated(node, tolerations(spec))}
    return Fit(run=not effects & {"NoSchedule", "NoExecute"}, stay="NoExecute" not in effects)
