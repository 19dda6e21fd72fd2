"""The objects as they stand, in memory: by kind, namespace and name. Reads never touch the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Key, Object

#: (group, kind)
GroupKind = tuple[str, str]
GroupKinds = list[GroupKind]


class Cache:
    """Every live object once; get and change in O(1), list in O(result)."""

    def __init__(self) -> None:
        self._objects: dict[GroupKind, dict[str, dict[str, Object]]] = {}

    def get(self, key: Key) -> Object | None:
        namespaces = self._objects.get((key.group, key.kind))
        names = namespaces.get(key.namespace) if namespaces else None
        return names.get(key.name) if names else None

    def put(self, key: Key, obj: Object) -> None:
        namespaces = self._objects.setdefault((key.group, key.kind), {})
        namespaces.setdefault(key.namespace, {})[key.name] = obj

    def remove(self, key: Key) -> None:
        names = self._objects.get((key.group, key.kind), {}).get(key.namespace)
        if names is not None:
            names.pop(key.name, None)
            if not names:
                del self._objects[key.group, key.kind][key.namespace]

    def list(self, group: str, kind: str, namespace: str = "") -> Iterator[Object]:
        """Yield a kind's objects ordered by namespace and name, of one namespace or (empty) of all."""
        namespaces = self._objects.get((group, kind), {})
        for where in sorted(namespaces) if not namespace else [namespace]:
            names = namespaces.get(where, {})
            for name in sorted(names):
                yield names[name]

    def count(self) -> dict[GroupKind, int]:
        """Return how many objects there are of each kind."""
        return {gk: sum(map(len, spaces.values())) for gk, spaces in self._objects.items()}

    def kinds(self) -> GroupKinds:
        """Return the kinds that have an object."""
        return [gk for gk, namespaces in self._objects.items() if namespaces]
