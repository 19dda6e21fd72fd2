"""Where the Pod spec of a document lies. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.render.document import Path

_TEMPLATES = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"})


def pod_spec_of(obj: Object) -> tuple[Path, dict[str, Any]] | None:
    """Return the path to an object's Pod spec and the spec; None where it has none."""
    kind = obj.get("kind")
    if kind == "Pod" and obj.get("apiVersion") == "v1":
        path: Path = ("spec",)
    elif kind in _TEMPLATES:
        path = ("spec", "template", "spec")
    elif kind == "CronJob":
        path = ("spec", "jobTemplate", "spec", "template", "spec")
    else:
        return None
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return (path, value) if isinstance(value, dict) else None
