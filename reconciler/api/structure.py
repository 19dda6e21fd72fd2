"""How the parts of an object merge: maps, sets, list-maps and atomics, read from its schema.

The facts are the extensions that Kubernetes' OpenAPI carries (``x-kubernetes-list-type`` and its like). A kind
without a schema is taken as Kubernetes takes it: maps merge by key, lists are atomic.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from reconciler.api import schemas

if TYPE_CHECKING:
    from reconciler.api.objects import GroupVersionKind


class Merge(StrEnum):
    """How a value merges."""

    MAP = "map"
    SET = "set"
    LIST_MAP = "list-map"
    ATOMIC = "atomic"


class Structure:
    """One place in a kind: its schema, within the root that its references point into. Shared: never changed."""

    __slots__ = ("_children", "_list", "_map", "_properties", "keys", "root", "schema")

    def __init__(self, schema: dict[str, Any], root: dict[str, Any]) -> None:
        self.schema = schema
        self.root = root
        self._children: dict[str, Structure] = {}
        self._properties: dict[str, Any] = schema.get("properties") or {}
        #: The fields that identify an item of a list-map.
        self.keys: tuple[str, ...] = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self._map = Merge.ATOMIC if atomic else Merge.MAP
        self._list = Merge.ATOMIC
        match schema.get("x-kubernetes-list-type"):
            case "map" if self.keys:
                self._list = Merge.LIST_MAP
            case "set":
                self._list = Merge.SET

    def child(self, field: str) -> Structure:
        """Return the structure of a field, or of a map's value."""
        if field in self._properties:
            child = self._children.get(field)
            return child if child is not None else self._below(field, self._properties[field])
        child = self._children.get("*")
        if child is not None:
            return child
        # All values of a map have one structure: kept under one name, whatever users call the keys.
        extra = self.schema.get("additionalProperties")
        return self._below("*", extra if isinstance(extra, dict) else {})

    def item(self) -> Structure:
        """Return the structure of a list's items."""
        child = self._children.get("[]")
        if child is not None:
            return child
        items = self.schema.get("items")
        return self._below("[]", items if isinstance(items, dict) else {})

    def _below(self, name: str, schema: dict[str, Any]) -> Structure:
        child = self._children[name] = _resolve(schema, self.root)
        return child

    def default(self, field: str) -> Any:
        """Return the default of a list-map's key where the item leaves it out (``protocol: TCP``)."""
        if field == "protocol":
            return "TCP"
        return self.child(field).schema.get("default")

    @property
    def merge_key(self) -> str:
        """The key of a strategic merge; empty where the list is replaced."""
        strategy = str(self.schema.get("x-kubernetes-patch-strategy") or "")
        if "merge" not in strategy.split(","):
            return ""
        return str(self.schema.get("x-kubernetes-patch-merge-key") or "")

    @property
    def merges_primitives(self) -> bool:
        """Whether a strategic merge adds to this list of scalars."""
        strategy = str(self.schema.get("x-kubernetes-patch-strategy") or "")
        return "merge" in strategy.split(",") and not self.merge_key

    def merge(self, value: Any) -> Merge:
        """Return how a value at this place merges."""
        if isinstance(value, dict):
            return self._map
        return self._list if isinstance(value, list) else Merge.ATOMIC


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> Structure:
    while "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        beside = {k: v for k, v in schema.items() if k != "$ref"}
        schema = {**target, **beside}
    return Structure(schema, root)


def of(gvk: GroupVersionKind) -> Structure:
    """Return the structure of a kind, by the schemas in force."""
    return _of(schemas.current(), gvk)


@functools.cache
def _of(library: schemas.Library, gvk: GroupVersionKind) -> Structure:
    schema = library.load(gvk) or {}
    return _resolve(schema, schema)
