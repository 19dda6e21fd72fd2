"""The objects of one kind with the indexes that planners ask: by namespace, owner, label and selector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.api.objects import Object

#: (namespace, name)
Place = tuple[str, str]
_Group = dict[Any, dict[Place, "Object"]]


class Index:
    """Every object of one kind. Changes cost what differs; reads cost their result."""

    def __init__(self) -> None:
        self.objects: dict[Place, Object] = {}
        self._namespaces: _Group = {}
        self._owners: _Group = {}
        self._labels: _Group = {}
        self._selectors: _Group = {}

    def put(self, place: Place, obj: Object) -> Object | None:
        """Take an object in; returns the one that was there."""
        old = self.objects.get(place)
        self.objects[place] = obj
        self._move(self._namespaces, place, obj, None if old is None else (place[0],), (place[0],))
        self._move(self._owners, place, obj, old and _owners(old), _owners(obj))
        self._move(self._labels, place, obj, old and _labels(place, old), _labels(place, obj))
        self._move(
            self._selectors, place, obj, old and _selector(place, old), _selector(place, obj)
        )
        return old

    def remove(self, place: Place) -> Object | None:
        """Take an object out; returns it."""
        old = self.objects.pop(place, None)
        if old is not None:
            self._move(self._namespaces, place, None, (place[0],), ())
            self._move(self._owners, place, None, _owners(old), ())
            self._move(self._labels, place, None, _labels(place, old), ())
            self._move(self._selectors, place, None, _selector(place, old), ())
        return old

    @staticmethod
    def _move(
        group: _Group,
        place: Place,
        obj: Object | None,
        before: Iterable[Any] | None,
        after: Iterable[Any],
    ) -> None:
        for key in before or ():
            if key not in after:
                members = group.get(key)
                if members is not None:
                    members.pop(place, None)
                    if not members:
                        del group[key]
        if obj is not None:
            for key in after:
                group.setdefault(key, {})[place] = obj

    def list(self, namespace: str | None) -> Iterator[Object]:
        """Yield in order of namespace and name."""
        members = self.objects if namespace is None else self._namespaces.get(namespace, {})
        for place in sorted(members):
            yield members[place]

    def owned(self, uid: str) -> Iterator[Object]:
        members = self._owners.get(uid, {})
        for place in sorted(members):
            yield members[place]

    def matching(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Object]:
        """Yield the objects that carry all these labels, by way of the rarest one."""
        if not labels:
            yield from self.list(namespace)
            return
        groups = [self._labels.get((namespace, k, v), {}) for k, v in labels.items()]
        rarest = min(groups, key=len)
        for place in sorted(rarest):
            obj = rarest[place]
            has = obj["metadata"].get("labels") or {}
            if all(has.get(k) == v for k, v in labels.items()):
                yield obj

    def selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Object]:
        """Yield the objects whose selector may match: filed under one pair they ask for, or under none."""
        found: dict[Place, Object] = dict(self._selectors.get((namespace, "", ""), {}))
        for key, value in labels.items():
            found.update(self._selectors.get((namespace, key, value), {}))
        for place in sorted(found):
            yield found[place]


def _owners(obj: Object) -> tuple[str, ...]:
    refs = obj["metadata"].get("ownerReferences")
    return tuple(r["uid"] for r in refs) if refs else ()


def _labels(place: Place, obj: Object) -> tuple[tuple[str, str, str], ...]:
    labels = obj["metadata"].get("labels")
    return tuple((place[0], k, v) for k, v in labels.items()) if labels else ()


def _selector(place: Place, obj: Object) -> tuple[tuple[str, str, str], ...]:
    spec = obj.get("spec")
    selector: Any = spec.get("selector") if isinstance(spec, dict) else None
    if not isinstance(selector, dict) or not selector:
        return ()
    pairs: dict[str, Any] = selector
    if "matchLabels" in selector or "matchExpressions" in selector:
        pairs = selector.get("matchLabels") or {}
    if not pairs:
        return ((place[0], "", ""),)
    key = min(pairs)
    return ((place[0], key, str(pairs[key])),)
