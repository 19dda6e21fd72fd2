"""Why a Node cannot take a Pod: readiness, cordon, selectors, affinity, taints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.placement import is_selected, untolerated
from reconciler.api.pods import condition

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def reason_against(pod: Object, node: Object) -> str:
    """Return why the Node is out of the question in kube-scheduler's words, or an empty string."""
    spec = pod["spec"]
    ready = condition(node, "Ready")
    if ready is None or ready.get("status") != "True":
        return "node(s) were not ready"
    taint = next(untolerated(node, spec.get("tolerations") or ()), None)
    if taint is not None and taint.get("key") == "node.kubernetes.io/unschedulable":
        return "node(s) were unschedulable"
    if not is_selected(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    if taint is not None:
        return f"node(s) had untolerated taint {{{taint.get('key')}: {taint.get('value') or ''}}}"
    return ""
