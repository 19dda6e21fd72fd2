"""What differs between two states of an object, field by field, with the values of Secrets masked."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import structure
from reconciler.api.managed_fields import fieldset
from reconciler.api.objects import GroupVersionKind
from reconciler.api.structure import Merge, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_NOISE = frozenset(
    {
        "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    }
)  # fmt: skip
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ABSENT = object()


class FieldChange(NamedTuple):
    """One field: its path, and its value before and after (None: it is not there)."""

    path: str
    before: Any
    after: Any


def diff(
    live: Object | None, wanted: Object | None, *, mask: bytes = b""
) -> tuple[FieldChange, ...]:
    """Return every field that differs. Status and what the server owns never count.

    Values of Secrets are shown as digests under the key ``mask``: equal values look equal, and nothing else is told.
    """
    obj = wanted or live or {}
    secret = obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"
    old, new = without_noise(live), without_noise(wanted)
    if secret:
        old, new = _masked(old, mask), _masked(new, mask)
    return tuple(_changes(old, new, structure.of(GroupVersionKind.of(obj)), ""))


def without_noise(obj: Object | None) -> dict[str, Any]:
    """Return what counts of an object: all but its status and what the server keeps in its metadata."""
    if obj is None:
        return {}
    result = {k: v for k, v in obj.items() if k != "status"}
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _NOISE}
    annotations = meta.get("annotations")
    if isinstance(annotations, dict) and (not annotations or _LAST_APPLIED in annotations):
        # kubectl's note of what it applied repeats the whole object, the data of a Secret included.
        meta["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
        if not meta["annotations"]:
            del meta["annotations"]
    result["metadata"] = meta
    return result


def _masked(obj: dict[str, Any], key: bytes) -> dict[str, Any]:
    result = dict(obj)
    for field in ("data", "stringData"):
        if isinstance(obj.get(field), dict):
            result[field] = {
                k: f"<secret {hmac.new(key, str(v).encode(), hashlib.sha256).hexdigest()[:12]}>"
                for k, v in obj[field].items()
            }
    return result


def _changes(old: Any, new: Any, shape: Structure, path: str) -> Iterator[FieldChange]:
    if old is new or old == new:
        return
    merge = shape.merge(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _part(
                old.get(key, _ABSENT), new.get(key, _ABSENT), shape.child(key), f"{path}.{key}"
            )
    elif isinstance(old, list) and isinstance(new, list) and merge is Merge.LIST_MAP:
        before = fieldset.items_of(old, shape, merge)
        after = fieldset.items_of(new, shape, merge)
        if before is None or after is None:
            yield FieldChange(path.lstrip("."), old, new)
            return
        item = shape.item()
        for key in dict.fromkeys([*before, *after]):
            names = ",".join(str(v) for v in json.loads(key[2:]).values())
            yield from _part(
                before.get(key, _ABSENT), after.get(key, _ABSENT), item, f"{path}[{names}]"
            )
    else:
        yield FieldChange(path.lstrip("."), old, new)


def _part(old: Any, new: Any, shape: Structure, path: str) -> Iterator[FieldChange]:
    if old is _ABSENT:
        yield FieldChange(path.lstrip("."), None, new)
    elif new is _ABSENT:
        yield FieldChange(path.lstrip("."), old, None)
    else:
        yield from _changes(old, new, shape, path)
