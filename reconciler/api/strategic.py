"""Strategic merge patch: a merge patch that knows which lists merge by a key (M09). Inputs are never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import structure
from reconciler.errors import BadRequest

if TYPE_CHECKING:
    from reconciler.api.objects import GroupVersionKind, Object
    from reconciler.api.structure import Structure

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_FROM_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(obj: Object, patch: Any, gvk: GroupVersionKind) -> Object:
    """Return an object with a strategic merge patch applied. Raises ``BadRequest`` for what is not one."""
    if not isinstance(patch, dict):
        raise BadRequest("a strategic merge patch is a mapping")
    result: Object = _map(obj, patch, structure.of(gvk))
    return result


def _map(target: Any, patch: dict[str, Any], shape: Structure) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {k: v for k, v in patch.items() if k != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown $patch directive {directive!r}: replace, merge or delete")
    result = dict(target) if isinstance(target, dict) else {}
    retain = patch.get(_RETAIN)
    if isinstance(retain, list):
        result = {k: v for k, v in result.items() if k in retain}
    for key, value in patch.items():
        if key.startswith(_FROM_PRIMITIVES):
            name = key.removeprefix(_FROM_PRIMITIVES)
            result[name] = [v for v in result.get(name) or () if v not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _value(result.get(key), value, shape.child(key))
    for key, order in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if isinstance(result.get(name), list) and isinstance(order, list):
                result[name] = _ordered(result[name], order, shape.child(name).merge_key)
    return result


def _value(target: Any, patch: Any, shape: Structure) -> Any:
    if isinstance(patch, dict):
        return _map(target, patch, shape)
    if isinstance(patch, list):
        if shape.merge_key:
            return _list(target if isinstance(target, list) else [], patch, shape)
        if shape.merges_primitives and isinstance(target, list):
            return [*target, *(v for v in patch if v not in target)]
    return patch


def _list(target: list[Any], patch: list[Any], shape: Structure) -> list[Any]:
    key, item = shape.merge_key, shape.item()
    if any(isinstance(p, dict) and p.get(_DIRECTIVE) == "replace" for p in patch):
        return [p for p in patch if not (isinstance(p, dict) and _DIRECTIVE in p)]
    result = list(target)
    for part in patch:
        if not isinstance(part, dict) or key not in part:
            raise BadRequest(f"an item of the patch lacks its merge key {key!r}")
        at = next((i for i, t in enumerate(result) if t.get(key) == part[key]), None)
        if part.get(_DIRECTIVE) == "delete":
            result = [t for t in result if t.get(key) != part[key]]
        elif at is None:
            result.append(_map({}, part, item))
        else:
            result[at] = _map(result[at], part, item)
    return result


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """Return items in the order asked for; what it does not name stays behind."""
    wanted = [o.get(key) if isinstance(o, dict) else o for o in order]

    def place(item: Any) -> int:
        value = item.get(key) if isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=place)
