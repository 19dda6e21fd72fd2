"""``/scale``: the size of a workload as an ``autoscaling/v1`` Scale (R12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import errors
from reconciler.api import patches, selectors
from reconciler.api.client import PatchType

if TYPE_CHECKING:
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object) -> Object:
    """Return the Scale that shows an object's size."""
    spec, status = obj["spec"], obj.get("status") or {}
    wanted = spec.get("replicas")
    shown: dict[str, Any] = {"replicas": int(status.get("replicas") or 0)}
    if selector := str(selectors.from_object(spec.get("selector"))):
        shown["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: obj["metadata"][k] for k in _COPIED if k in obj["metadata"]},
        "spec": {"replicas": 1 if wanted is None else int(wanted)},
        "status": shown,
    }


def patched(scale: Object, patch: Any, type_: PatchType) -> Object:
    """Return a Scale with a patch. Raises ``UnsupportedMediaType`` for a format that makes no sense here."""
    if type_ is PatchType.APPLY:
        raise errors.UnsupportedMediaType("a Scale takes JSON, merge and strategic merge patches")
    after: Object = (
        patches.json_patch(scale, patch)
        if type_ is PatchType.JSON
        else patches.merge_patch(scale, patch)
    )
    return after


def as_patch(kind: Kind, scale: Any) -> dict[str, Any]:
    """Return the merge patch that gives an object the size of a Scale; its identity is a precondition.

    Raises ``BadRequest``, and ``Invalid`` for a size below zero.
    """
    given = scale if isinstance(scale, dict) else {}
    spec, meta = given.get("spec") or {}, given.get("metadata") or {}
    size = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not isinstance(meta, dict):
        raise errors.BadRequest("the body is not a Scale with a whole number in spec.replicas")
    if size < 0:
        told = f"Invalid value: {size}: must be greater than or equal to 0"
        cause = errors.Cause("FieldValueInvalid", told, "spec.replicas")
        name = str(meta.get("name") or "")
        raise errors.Invalid(
            f'Scale.autoscaling "{name}" is invalid: spec.replicas: {told}',
            kind=kind.kind, name=name, causes=(cause,),
        )  # fmt: skip
    known = {field: meta[field] for field in ("uid", "resourceVersion") if meta.get(field)}
    return {**({"metadata": known} if known else {}), "spec": {"replicas": size}}
