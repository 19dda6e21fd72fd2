"""Where the Pod spec of a document lies. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.render.reader import Path

_TEMPLATE: Path = ("spec", "template", "spec")
_PATHS: dict[tuple[str, str], Path] = {
    ("v1", "Pod"): ("spec",),
    ("apps/v1", "Deployment"): _TEMPLATE,
    ("apps/v1", "ReplicaSet"): _TEMPLATE,
    ("apps/v1", "StatefulSet"): _TEMPLATE,
    ("apps/v1", "DaemonSet"): _TEMPLATE,
    ("batch/v1", "Job"): _TEMPLATE,
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}


def pod_spec_of(obj: Object) -> tuple[Path, dict[str, Any]] | None:
    """Return the path to an object's Pod spec and the spec; None where it has none."""
    path = _PATHS.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    if path is None:
        return None
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return (path, value) if isinstance(value, dict) else None
