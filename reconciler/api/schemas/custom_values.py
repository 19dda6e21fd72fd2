"""What an API server does with a custom resource around its schema: nulls that mean "not set", defaults, lists that are sets or maps. Pure.

Only of schemas that a CustomResourceDefinition gave (``MARK``): the types of Kubernetes itself are read by Go.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Stands in the root of a schema of a custom kind.
MARK = "x-custom-kind"

_LIST = "x-kubernetes-list-type"
_KEYS = "x-kubernetes-list-map-keys"


def as_read(value: Any, schema: Any) -> Any:
    """Return a value as an API server reads it: a null that its schema does not allow is not set; then come the defaults."""
    if isinstance(value, dict):
        found = {}
        for name, one in value.items():
            below = _below(schema, name)
            if one is not None or below is None or "null" in _types(below):
                found[name] = as_read(one, below)
        properties = schema.get("properties") if isinstance(schema, dict) else None
        for name, below in (properties or {}).items():
            if name not in found and isinstance(below, dict) and "default" in below:
                found[name] = as_read(below["default"], below)
        return found
    if isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        return [as_read(one, items) for one in value]
    return value


def repeated(
    value: Any, schema: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the place and the text of every item that stands twice in a list which its schema calls a set or a map."""
    if not isinstance(schema, dict):
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from repeated(one, _below(schema, name), (*path, name))
    elif isinstance(value, list):
        seen: set[str] = set()
        for index, one in enumerate(value):
            key = _key(one, schema)
            if key is not None and key in seen:
                yield (*path, index), key
            seen.add(key or "")
            yield from repeated(one, schema.get("items"), (*path, index))


def has_lists(schema: Any) -> bool:
    """Whether a schema calls any list a set or a map."""
    if isinstance(schema, dict):
        return schema.get(_LIST) in ("set", "map") or any(map(has_lists, schema.values()))
    return isinstance(schema, list) and any(map(has_lists, schema))


def _key(item: Any, schema: dict[str, Any]) -> str | None:
    """Return what an item of a list must not have in common with another; None where it may be what it is."""
    match schema.get(_LIST):
        case "set":
            return json.dumps(item, sort_keys=True)
        case "map" if isinstance(item, dict) and isinstance(schema.get(_KEYS), list):
            properties = (schema.get("items") or {}).get("properties") or {}
            named = {
                k: item[k] if k in item else (properties.get(k) or {}).get("default")
                for k in schema[_KEYS]
            }
            return json.dumps(named, sort_keys=True, separators=(",", ":"))
        case _:
            return None


def _below(schema: Any, name: str) -> dict[str, Any] | None:
    if not isinstance(schema, dict):
        return None
    properties = schema.get("properties")
    found = properties.get(name) if isinstance(properties, dict) else None
    found = schema.get("additionalProperties") if found is None else found
    return found if isinstance(found, dict) else None


def _types(schema: dict[str, Any]) -> list[Any]:
    given = schema.get("type")
    return given if isinstance(given, list) else [given]
