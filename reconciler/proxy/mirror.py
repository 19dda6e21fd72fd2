"""The objects that a proxy reads, and a copy of them that outlives the daemon they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.api.objects import name_of, namespace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object

    Callback = Callable[[Object | None, Object | None], None]
    Place = tuple[str, str]


class View(Protocol):
    """Objects as they are now (``control.Snapshot`` is one)."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None: ...
    def list(self, kind: Kind, namespace: str | None = None) -> Iterable[Object]: ...


class Objects(Protocol):
    """Where a proxy learns of Services, EndpointSlices, Ingresses and Secrets (``control.InformerCache`` is one)."""

    @property
    def snapshot(self) -> View: ...

    def subscribe(self, kind: Kind, callback: Callback) -> None:
        """Call back with (old, new) at every change."""
        ...


class Mirror:
    """A copy of objects that are put in and taken out; what was there stays when nobody feeds it any more."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {k.kind: k for k in kinds}
        self._objects: dict[str, dict[Place, Object]] = {name: {} for name in self._kinds}
        self._callbacks: dict[str, list[Callback]] = {name: [] for name in self._kinds}

    @property
    def snapshot(self) -> Mirror:
        return self

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects[kind.kind].get((namespace, name))

    def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        found = self._objects[kind.kind]
        return [o for (where, _), o in found.items() if namespace is None or where == namespace]

    def subscribe(self, kind: Kind, callback: Callback) -> None:
        self._callbacks[kind.kind].append(callback)

    def put(self, obj: Object) -> None:
        """Take in an object as it is now; of kinds that are not mirrored nothing is kept."""
        self._set(str(obj.get("kind")), (namespace_of(obj), name_of(obj)), obj)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        self._set(kind, (namespace, name), None)

    def replace(self, objects: Iterable[Object]) -> None:
        """Take in everything there is: what is not among it is gone. Unchanged objects are not told of."""
        found = {(str(o["kind"]), namespace_of(o), name_of(o)): o for o in objects}
        for (kind, namespace, name), obj in found.items():
            known = self._objects.get(kind, {}).get((namespace, name))
            if known != obj:
                self._set(kind, (namespace, name), obj)
        for kind, known_objects in self._objects.items():
            for place in [p for p in known_objects if (kind, *p) not in found]:
                self._set(kind, place, None)

    def _set(self, kind: str, place: Place, new: Object | None) -> None:
        objects = self._objects.get(kind)
        if objects is None:
            return
        old = objects.pop(place, None)
        if new is not None:
            objects[place] = new
        if old is not None or new is not None:
            for callback in self._callbacks[kind]:
                callback(old, new)
