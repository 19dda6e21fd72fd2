"""What an API server refuses: a broken schema, a broken rule, a change of what cannot change. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.api import names, schemas
from reconciler.api.rules import check
from reconciler.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_IMMUTABLE = "field is immutable"

#: kind -> dotted paths that an update may not change.
_FIXED: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps/v1", "Deployment"): ("spec.selector",),
    ("apps/v1", "ReplicaSet"): ("spec.selector",),
    ("storage.k8s.io/v1", "StorageClass"): (
        "provisioner", "parameters", "reclaimPolicy", "volumeBindingMode",
    ),
    ("v1", "Secret"): ("type",),
    ("discovery.k8s.io/v1", "EndpointSlice"): ("addressType",),
}  # fmt: skip

_STATEFUL_SET_MUTABLE = frozenset(
    {
        "replicas", "ordinals", "template", "updateStrategy", "minReadySeconds",
        "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit",
    }
)  # fmt: skip


def validate_shape(obj: Object) -> tuple[Cause, ...]:
    """Return where an object's parts are not what they must be: defaults and rules rely on that."""
    meta = obj["metadata"]
    causes = [
        Cause("FieldValueTypeInvalid", "Invalid value: expected a mapping", f"metadata.{field}")
        for field in ("labels", "annotations")
        if meta.get(field) is not None and not isinstance(meta[field], dict)
    ]
    return (*causes, *_schema(obj))


def validate_create(obj: Object) -> tuple[Cause, ...]:
    """Return every rule that a new object of the right shape breaks."""
    return (*_metadata(obj), *check(obj))


def validate_update(before: Object, after: Object) -> tuple[Cause, ...]:
    """Return every rule that a change breaks."""
    causes = [*_metadata(after), *check(after)]
    if not causes:
        causes.extend(_fixed(before, after))
    return tuple(causes)


def _metadata(obj: Object) -> Iterator[Cause]:
    meta = obj["metadata"]
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        yield Cause(
            "FieldValueRequired",
            "Required value: name or generateName is required",
            "metadata.name",
        )
        return
    problem = names.problem(str(obj.get("kind")), name)
    if problem:
        yield Cause("FieldValueInvalid", f'Invalid value: "{name}": {problem}', "metadata.name")
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            wrong = names.qualified_problem(key)
            if not wrong and field == "labels":
                wrong = names.label_value_problem(value)
            if wrong:
                yield Cause(
                    "FieldValueInvalid", f'Invalid value: "{key}": {wrong}', f"metadata.{field}"
                )


def _schema(obj: Object) -> Iterator[Cause]:
    if schemas.is_valid(obj):
        return
    for error in schemas.errors(obj):
        field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.path).lstrip(".")
        yield Cause("FieldValueInvalid", error.message, field or "(root)")


def _read(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _fixed(before: Object, after: Object) -> Iterator[Cause]:
    key = (str(after.get("apiVersion")), str(after.get("kind")))
    for path in _FIXED.get(key, ()):
        if _read(before, path) != _read(after, path):
            shown = json.dumps(_read(after, path), separators=(",", ":"))
            yield Cause("FieldValueInvalid", f"Invalid value: {shown}: {_IMMUTABLE}", path)
    match key:
        case ("v1", "ConfigMap") | ("v1", "Secret") if before.get("immutable"):
            for field in ("data", "binaryData", "immutable"):
                if before.get(field) != after.get(field):
                    yield Cause(
                        "FieldValueForbidden",
                        "Forbidden: field is immutable when `immutable` is set", field,
                    )  # fmt: skip
        case ("apps/v1", "StatefulSet"):
            yield from _stateful_set(before, after)
        case ("v1", "Pod"):
            yield from _pod(before, after)
        case ("v1", "PersistentVolumeClaim"):
            yield from _claim(before, after)
        case ("v1", "Service"):
            yield from _service(before, after)


def _stateful_set(before: Object, after: Object) -> Iterator[Cause]:
    old, new = before["spec"], after["spec"]
    if any(
        old.get(k) != new.get(k)
        for k in old.keys() | new.keys() - {""}
        if k not in _STATEFUL_SET_MUTABLE
    ):
        yield Cause(
            "FieldValueForbidden",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden",
            "spec",
        )  # fmt: skip


_POD_MUTABLE = (
    "nodeName",
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "schedulingGates",
)


def _pod(before: Object, after: Object) -> Iterator[Cause]:
    if before["spec"] is after["spec"]:
        return
    old, new = _pod_core(before["spec"]), _pod_core(after["spec"])
    renamed = before["spec"].get("nodeName") and before["spec"].get("nodeName") != after[
        "spec"
    ].get("nodeName")
    if old != new or renamed:
        yield Cause(
            "FieldValueForbidden",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)",
            "spec",
        )  # fmt: skip


def _pod_core(spec: dict[str, Any]) -> dict[str, Any]:
    core = {k: v for k, v in spec.items() if k not in _POD_MUTABLE}
    for field in ("containers", "initContainers"):
        if field in core:
            core[field] = [{k: v for k, v in c.items() if k != "image"} for c in core[field]]
    return core


def _claim(before: Object, after: Object) -> Iterator[Cause]:
    old, new = dict(before["spec"]), dict(after["spec"])
    for spec in (old, new):
        spec.pop("resources", None)
    if not old.get("volumeName"):
        old.pop("volumeName", None)
        new.pop("volumeName", None)
    if old.get("storageClassName") is None:
        old.pop("storageClassName", None)
        new.pop("storageClassName", None)
    if old != new:
        yield Cause(
            "FieldValueForbidden",
            "Forbidden: spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims",
            "spec",
        )  # fmt: skip


def _service(before: Object, after: Object) -> Iterator[Cause]:
    old, new = before["spec"], after["spec"]
    if "ExternalName" in (old.get("type"), new.get("type")):
        return
    address = new.get("clusterIP")
    if old.get("clusterIP") and address and address != old["clusterIP"]:
        yield Cause(
            "FieldValueInvalid",
            f'Invalid value: ["{address}"]: may not change once set', "spec.clusterIPs[0]",
        )  # fmt: skip
