"""Sets of fields, as ``FieldsV1`` writes them: ``f:name``, ``k:{"name":"web"}``, ``v:"a"``, and ``.`` for the place itself.

In memory a set is a tree of dicts in which ``"."`` marks a member; as JSON a member without children is ``{}``.
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
        key: {} if key == _SELF else (from_json(sub) if sub else dict(_LEAF))
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
    merge = structure.merge(value)
    if merge is Merge.MAP and value:
        return {f"f:{k}": set_of(v, structure.child(k)) for k, v in value.items()}
    if merge in (Merge.LIST_MAP, Merge.SET) and value:
        items = items_of(value, structure, merge)
        if items is not None:
            shape = structure.item()
            if merge is Merge.SET:
                return {key: dict(_LEAF) for key in items}
            return {key: {_SELF: {}, **set_of(item, shape)} for key, item in items.items()}
    return dict(_LEAF)


def compare(before: Any, after: Any, structure: Structure) -> tuple[FieldSet, FieldSet]:
    """Return (what was added or changed, what is gone)."""
    if before is after or before == after:
        return {}, {}
    merge = structure.merge(after)
    if type(before) is not type(after) or merge is Merge.ATOMIC or not after or not before:
        return set_of(after, structure), difference(
            set_of(before, structure), set_of(after, structure)
        )
    if merge is Merge.MAP:
        pairs = {f"f:{k}": (before.get(k, _LEAF), after.get(k, _LEAF), structure.child(k)) for k in
                 before.keys() | after.keys()}  # fmt: skip
        return _compare_pairs(pairs, item_itself=False)
    old, new = items_of(before, structure, merge), items_of(after, structure, merge)
    if old is None or new is None:
        return dict(_LEAF), {}
    shape = structure.item()
    both = {k: (old.get(k, _LEAF), new.get(k, _LEAF), shape) for k in old.keys() | new.keys()}
    return _compare_pairs(both, item_itself=True)


def _compare_pairs(
    pairs: dict[str, tuple[Any, Any, Structure]], *, item_itself: bool
) -> tuple[FieldSet, FieldSet]:
    """Compare the parts of a map or an associative list; ``_LEAF`` itself stands for an absent part."""
    changed: FieldSet = {}
    gone: FieldSet = {}
    mark: FieldSet = {_SELF: {}} if item_itself else {}
    for key, (before, after, structure) in pairs.items():
        if before is _LEAF:
            changed[key] = {**mark, **set_of(after, structure)}
        elif after is _LEAF:
            gone[key] = {**mark, **set_of(before, structure)}
        else:
            more, less = compare(before, after, structure)
            if more:
                changed[key] = more
            if less:
                gone[key] = less
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
