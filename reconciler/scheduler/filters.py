"""Why a Node cannot take a Pod: readiness, cordon, selectors, affinity, taints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import labels_of, name_of
from reconciler.api.pods import condition
from reconciler.api.selectors import Requirement

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def reason_against(pod: Object, node: Object) -> str:
    """Return why the Node is out of the question in kube-scheduler's words, or an empty string."""
    spec = pod["spec"]
    ready = condition(node, "Ready")
    if ready is None or ready.get("status") != "True":
        return "node(s) were not ready"
    tolerations = spec.get("tolerations") or ()
    if (node.get("spec") or {}).get("unschedulable") and not _tolerates(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations
    ):
        return "node(s) were unschedulable"
    if not _selected(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") == "PreferNoSchedule" or _tolerates(taint, tolerations):
            continue
        return f"node(s) had untolerated taint {{{taint.get('key')}: {taint.get('value') or ''}}}"
    return ""


def _selected(spec: Object, node: Object) -> bool:
    labels = labels_of(node)
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
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
