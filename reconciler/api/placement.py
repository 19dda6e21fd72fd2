"""Which Nodes a Pod spec allows: selectors, affinity, taints. Pure; the scheduler and DaemonSets ask alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import labels_of, name_of
from reconciler.api.selectors import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def is_selected(spec: Object, node: Object) -> bool:
    """Whether a Pod spec's nodeSelector and required node affinity match a Node."""
    if not (spec.get("nodeSelector") or {}).items() <= labels_of(node).items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return not required or node_selector_matches(required, node)


def node_selector_matches(selector: Object, node: Object) -> bool:
    """Whether any term of a NodeSelector matches; a term without conditions matches nothing."""
    return any(_term(term, node) for term in selector.get("nodeSelectorTerms") or ())


def _term(term: Object, node: Object) -> bool:
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    labels, named = labels_of(node), {"metadata.name": name_of(node)}
    return all(_requirement(e).matches(labels) for e in expressions) and all(
        _requirement(f).matches(named) for f in fields
    )


def _requirement(expression: dict[str, Any]) -> Requirement:
    values = tuple(str(v) for v in expression.get("values") or ())
    return Requirement(expression["key"], expression["operator"], values)


def untolerated(node: Object, tolerations: Any) -> Iterator[dict[str, Any]]:
    """Yield the taints of a Node that hold a Pod off; a cordoned Node counts as tainted."""
    spec = node.get("spec") or {}
    if spec.get("unschedulable") and not _tolerates(_CORDONED, tolerations):
        yield _CORDONED
    for taint in spec.get("taints") or ():
        if taint.get("effect") != "PreferNoSchedule" and not _tolerates(taint, tolerations):
            yield taint


def _tolerates(taint: dict[str, Any], tolerations: Any) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        if toleration.get("key") and toleration["key"] != taint.get("key"):
            continue
        exists = toleration.get("operator") == "Exists"
        if not toleration.get("key") and not exists:
            continue
        if exists or (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False
