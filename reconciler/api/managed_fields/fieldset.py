"""Sets of fields, as ``FieldsV1`` writes them: ``f:name``, ``k:{"name":"web"}``, ``v:"a"``, and ``.`` for the place itself.

In memory a set is a tree of dicts in which ``"."`` marks a member; as JSON a member without children is ``{}``.
Sets share their parts: none is changed once it is made.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from reconciler.api.structure import Merge, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

FieldSet = dict[str, Any]

_SELF = "."
_LEAF: FieldSet = {_SELF: {}}
_CONTAINERS = (dict, list)


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in either."""
    if not left or not right:
        return left or right
    result = dict(left)
    for key, sub in right.items():
        result[key] = union(left[key], sub) if key in left else sub
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in ``left`` and not in ``right``."""
    if not right:
        return left
    result: FieldSet = {}
    for key, sub in left.items():
        if key == _SELF:
            if _SELF not in right:
                result[_SELF] = {}
        else:
            rest = difference(sub, right.get(key, {}))
            if rest:
                result[key] = rest
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in both."""
    result: FieldSet = {}
    for key, sub in left.items():
        if key not in right:
            continue
        if key == _SELF:
            result[_SELF] = {}
        else:
            both = intersection(sub, right[key])
            if both:
                result[key] = both
    return result


def to_json(fields: FieldSet) -> dict[str, Any]:
    """Return the ``fieldsV1`` form."""
    return {
        key: {} if key == _SELF or (len(sub) == 1 and _SELF in sub) else to_json(sub)
        for key, sub in fields.items()
    }


def from_json(fields: dict[str, Any]) -> FieldSet:
    """Read the ``fieldsV1`` form."""
    return {
        key: {} if key == _SELF else (from_json(sub) if sub else _LEAF)
        for key, sub in fields.items()
    }


def item_key(item: Any, structure: Structure) -> str:
    """Return the path element of an item of a list-map; ``structure`` is the list's."""
    fields = item if isinstance(item, dict) else {}
    names = structure.keys
    if len(names) == 1 and type(name := fields.get(names[0])) is str:
        return _name_key(names[0], name)
    shape = structure.item()
    key = {k: fields.get(k, shape.default(k)) for k in names}
    present = {k: v for k, v in sorted(key.items()) if v is not None}
    return "k:" + json.dumps(present, separators=(",", ":"))


@functools.lru_cache(maxsize=4096)
def _name_key(field: str, name: str) -> str:
    """Return the path element of the usual item: one that a name (or a type) identifies."""
    return "k:" + json.dumps({field: name}, separators=(",", ":"))


def value_key(value: Any) -> str:
    """Return the path element of a member of a set."""
    return "v:" + json.dumps(value, separators=(",", ":"), sort_keys=True)


def items_of(values: list[Any], structure: Structure, merge: Merge) -> dict[str, Any] | None:
    """Return a list's items by path element; None where two are the same, so that it can only be taken whole."""
    if merge is Merge.SET:
        found = {value_key(v): v for v in values}
    else:
        found = {item_key(v, structure): v for v in values}
    return found if len(found) == len(values) else None


def set_of(value: Any, structure: Structure) -> FieldSet:
    """Return the fields that a value has: leaves, and items of associative lists themselves."""
    if not value or type(value) not in _CONTAINERS:
        return _LEAF
    merge = structure.merge(value)
    if merge is Merge.MAP:
        child = structure.child
        return {
            f"f:{k}": set_of(v, child(k)) if v and type(v) in _CONTAINERS else _LEAF
            for k, v in value.items()
        }
    if merge is not Merge.ATOMIC:
        items = items_of(value, structure, merge)
        if items is not None:
            shape = structure.item()
            if merge is Merge.SET:
                return dict.fromkeys(items, _LEAF)
            return {key: {_SELF: {}, **set_of(item, shape)} for key, item in items.items()}
    return _LEAF


def compare(before: Any, after: Any, structure: Structure) -> tuple[FieldSet, FieldSet]:
    """Return (what was added or changed, what is gone)."""
    if before is after or before == after:
        return {}, {}
    merge = structure.merge(after)
    if type(before) is not type(after) or merge is Merge.ATOMIC or not after or not before:
        now = set_of(after, structure)
        then = set_of(before, structure)
        return now, {} if then is _LEAF and now is _LEAF else difference(then, now)
    if merge is Merge.MAP:
        return _compare_maps(before, after, structure)
    old, new = items_of(before, structure, merge), items_of(after, structure, merge)
    if old is None or new is None:
        return _LEAF, {}
    return _compare_items(old, new, structure.item())


def _compare_maps(
    before: dict[str, Any], after: dict[str, Any], structure: Structure
) -> tuple[FieldSet, FieldSet]:
    changed: FieldSet = {}
    gone: FieldSet = {}
    for key, value in after.items():
        if key not in before:
            changed[f"f:{key}"] = set_of(value, structure.child(key))
        elif (old := before[key]) is not value and old != value:
            more, less = compare(old, value, structure.child(key))
            if more:
                changed[f"f:{key}"] = more
            if less:
                gone[f"f:{key}"] = less
    for key in before.keys() - after.keys():
        gone[f"f:{key}"] = set_of(before[key], structure.child(key))
    return changed, gone


def _compare_items(
    before: dict[str, Any], after: dict[str, Any], shape: Structure
) -> tuple[FieldSet, FieldSet]:
    """Compare the items of an associative list, by path element; an item that comes or goes is itself a member."""
    changed: FieldSet = {}
    gone: FieldSet = {}
    for key, item in after.items():
        if key not in before:
            changed[key] = {_SELF: {}, **set_of(item, shape)}
            continue
        more, less = compare(before[key], item, shape)
        if more:
            changed[key] = more
        if less:
            gone[key] = less
    for key in before.keys() - after.keys():
        gone[key] = {_SELF: {}, **set_of(before[key], shape)}
    return changed, gone


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Yield members as Kubernetes prints them: ``.spec.containers[name="web"].image``."""
    for key, sub in sorted(fields.items()):
        if key == _SELF:
            yield prefix or "."
        elif key.startswith("f:"):
            yield from paths(sub, f"{prefix}.{key[2:]}")
        elif key.startswith("k:"):
            pairs = ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(key[2:]).items())
            yield from paths(sub, f"{prefix}[{pairs}]")
        else:
            yield from paths(sub, f"{prefix}[={key[2:]}]")
