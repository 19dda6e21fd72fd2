"""Where rules stand in a schema, and the values there: with their defaults, beside what they replace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

_RULES = "x-kubernetes-validations"
_OLD = re.compile(r"(?<![\w.])oldSelf\b")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['((?:[^'\\]|\\.)*)'\]")


class Place(NamedTuple):
    """A value that rules are asked of; ``old`` is what it replaces, None where there is no such thing."""

    path: Path
    schema: dict[str, Any]
    value: Any
    old: Any


def places(schema: dict[str, Any], value: Any, old: Any = None) -> Iterator[Place]:
    """Yield every place of a value that has rules, the root first. Values have the defaults that an API server sets."""
    value = _defaulted(value, schema)
    before = None if old is None else _in_order_of(value, _defaulted(old, schema), schema)
    waiting: list[Place] = [Place((), schema, value, before)]
    while waiting:
        place = waiting.pop()
        if isinstance(place.schema.get(_RULES), list) and place.value is not None:
            yield place
        waiting += list(_below(place))[::-1]


def _below(place: Place) -> Iterator[Place]:
    path, schema, value, old = place
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for name, one in value.items():
            found = properties.get(name, extra)
            if isinstance(found, dict):
                yield Place((*path, name), found, one, before.get(name))
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        items = schema["items"]
        keys = _keys(schema)
        before = _by_key(old, keys)
        for index, one in enumerate(value):
            yield Place((*path, index), items, one, before.get(_key(one, keys)) if keys else None)


def _keys(schema: dict[str, Any]) -> tuple[str, ...]:
    """Return what identifies the items of a list: only those can be told to be the same as before."""
    found = schema.get("x-kubernetes-list-map-keys")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _by_key(old: Any, keys: tuple[str, ...]) -> dict[Any, Any]:
    return {_key(one, keys): one for one in old} if isinstance(old, list) and keys else {}


def _key(item: Any, keys: tuple[str, ...]) -> str:
    return repr([item.get(k) for k in keys]) if isinstance(item, dict) else ""


def _in_order_of(new: Any, old: Any, schema: dict[str, Any]) -> Any:
    """Return an old value with its sets and list-maps in the order of the new one: their order has no meaning."""
    if isinstance(old, dict) and isinstance(new, dict):
        properties = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        below = {name: properties.get(name, extra) for name in old if name in new}
        return old | {
            name: _in_order_of(new[name], old[name], found)
            for name, found in below.items()
            if isinstance(found, dict)
        }
    items = schema.get("items")
    kind = schema.get("x-kubernetes-list-type")
    if not (isinstance(old, list) and isinstance(new, list) and kind in ("set", "map")):
        return old
    keys = _keys(schema)

    def name_of(item: Any) -> str:
        return _key(item, keys) if kind == "map" else repr(item)

    twins = {name_of(item): (index, item) for index, item in enumerate(new)}
    found = sorted(old, key=lambda item: twins.get(name_of(item), (len(new), None))[0])
    return [
        _in_order_of(twins[name_of(item)][1], item, items)
        if name_of(item) in twins and isinstance(items, dict)
        else item
        for item in found
    ]


def _defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """Return a value with the defaults of its schema; what needs none is shared."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        out = dict(value)
        for name, below in properties.items():
            if not isinstance(below, dict) or "default" not in below:
                continue
            if name not in out or (out[name] is None and "null" not in (below.get("type") or ())):
                out[name] = below["default"]
        for name, one in out.items():
            found = properties.get(name, extra)
            if isinstance(found, dict):
                out[name] = _defaulted(one, found)
        return out
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        return [_defaulted(one, items) for one in value]
    return value


def uses_old(rule: str) -> bool:
    """Whether a rule is about a change.

    >>> uses_old("self == oldSelf"), uses_old("self.oldSelf == 1")
    (True, False)
    """
    return _OLD.search(rule) is not None


def field_path(text: Any) -> Path:
    """Return the fields that a rule's ``fieldPath`` leads to; none for one that cannot be read.

    >>> field_path(".spec['a.b'].c"), field_path("spec")
    (('spec', 'a.b', 'c'), ())
    """
    if not isinstance(text, str) or _STEP.sub("", text):
        return ()
    return tuple(m.group(1) or m.group(2) for m in _STEP.finditer(text))
