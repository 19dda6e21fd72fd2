"""Pods made from a template (R10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import controller_ref, name_of, namespace_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def pod_of(owner: Object, template: Object | None = None) -> Object:
    """Build a Pod of an owner from its template, or from another. Shares the template's parts: do not change them."""
    template = (owner["spec"].get("template") if template is None else template) or {}
    about = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "generateName": name_of(owner) + "-",
        "namespace": namespace_of(owner),
        "ownerReferences": [controller_ref(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if about.get(field):
            metadata[field] = about[field]
    spec = template.get("spec") or {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
