"""The garbage collector: objects whose owners are gone, and owners that wait for dependents (G01 to G08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.client import Propagation
from reconciler.api.decision import (
    NOTHING,
    Absent,
    Action,
    Decision,
    Delete,
    Notice,
    Patch,
    Watch,
)
from reconciler.api.objects import (
    GroupVersionKind,
    Key,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class GarbageCollector:
    """Plans single objects of every kind: as a dependent, and as an owner that is going."""

    name = "garbage-collector-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return tuple(Watch(kind, _concerned) for kind in kinds.KINDS if kind != kinds.EVENT)

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        """Decide for one object."""
        kind = kinds.lookup(key.group, key.kind)
        obj = snapshot.get(kind, key.namespace, key.name) if kind else None
        if kind is None or obj is None:
            return NOTHING
        if is_deleting(obj):
            finalizers = meta(obj).get("finalizers") or ()
            if ORPHAN in finalizers:
                return _orphan(kind, obj, snapshot)
            if FOREGROUND in finalizers:
                return _foreground(kind, obj, snapshot)
            return NOTHING
        return _dependent(kind, obj, snapshot)


def _concerned(obj: Object, snapshot: Snapshot) -> Iterator[Key]:
    # Most objects live under owners that live: they wake nothing here.
    concerned = is_deleting(obj) and bool(meta(obj).get("finalizers"))
    for ref in meta(obj).get("ownerReferences") or ():
        key = _owner_key(obj, ref)
        kind = kinds.lookup(key.group, key.kind)
        owner = snapshot.get(kind, key.namespace, key.name) if kind else None
        if owner is None or uid_of(owner) != ref.get("uid"):
            concerned = True
        elif is_deleting(owner):
            concerned = True
            yield key
    if concerned:
        yield Key.of(obj)
    own = kinds.kind_of(obj)
    if snapshot.get(own, namespace_of(obj), name_of(obj)) is None or is_deleting(obj):
        for _, dependent in _dependents(obj, snapshot):
            yield Key.of(dependent)


def _owner_key(dependent: Object, ref: dict[str, Any]) -> Key:
    gvk = GroupVersionKind.parse(str(ref.get("apiVersion") or ""), str(ref.get("kind") or ""))
    kind = kinds.lookup(gvk.group, gvk.kind)
    namespace = namespace_of(dependent) if kind is None or kind.namespaced else ""
    return Key(gvk.group, gvk.kind, namespace, str(ref.get("name") or ""))


def _dependents(owner: Object, snapshot: Snapshot) -> Iterator[tuple[kinds.Kind, Object]]:
    uid = uid_of(owner)
    for kind in snapshot.kinds():
        for obj in snapshot.owned(kind, uid):
            yield kind, obj


class _Owners:
    """What has become of an object's owners."""

    def __init__(self, kind: kinds.Kind, obj: Object, snapshot: Snapshot) -> None:
        self.refs: list[dict[str, Any]] = meta(obj).get("ownerReferences") or []
        self.solid: list[dict[str, Any]] = []  # they live
        self.waiting: list[dict[str, Any]] = []  # they wait for this object to go
        self.gone: list[Action] = []  # they are not there: to be asked again of the API
        self.events: list[Notice] = []
        followed = set(snapshot.kinds())
        for ref in self.refs:
            self._judge(kind, obj, ref, snapshot, followed)

    def _judge(
        self, kind: kinds.Kind, obj: Object, ref: dict[str, Any], snapshot: Snapshot,
        followed: set[kinds.Kind],
    ) -> None:  # fmt: skip
        key = _owner_key(obj, ref)
        owner_kind = kinds.lookup(key.group, key.kind)
        if owner_kind is None or owner_kind not in followed:
            self.solid.append(ref)  # a kind that nobody follows here cannot be told absent
            return
        if owner_kind.namespaced and not kind.namespaced:
            # Which one is meant cannot be told: nothing is deleted for it (G07).
            self.solid.append(ref)
            self._misplaced(obj, ref, "cluster-scoped objects cannot have namespaced owners")
            return
        owner = snapshot.get(owner_kind, key.namespace, key.name)
        if owner is None or uid_of(owner) != ref.get("uid"):
            uid = str(ref.get("uid") or "")
            self.gone.append(Absent(owner_kind, key.namespace, key.name, uid))
            if any(uid_of(other) == uid for other in snapshot.list(owner_kind)):
                told = f"ownerRef {ref.get('kind')}/{key.name} does not exist in namespace {key.namespace}"
                self._misplaced(obj, ref, told)
        elif is_deleting(owner) and FOREGROUND in (meta(owner).get("finalizers") or ()):
            self.waiting.append(ref)
        else:
            self.solid.append(ref)

    def _misplaced(self, obj: Object, ref: dict[str, Any], told: str) -> None:
        message = f"{told}, uid: {ref.get('uid')}"
        self.events.append(Notice(obj, "Warning", "OwnerRefInvalidNamespace", message))


def _dependent(kind: kinds.Kind, obj: Object, snapshot: Snapshot) -> Decision:
    owners = _Owners(kind, obj, snapshot)
    events = tuple(owners.events)
    if not owners.gone and not owners.waiting:
        return Decision((), events)
    where = (kind, namespace_of(obj), name_of(obj))
    if owners.solid:
        # One that lives keeps it; the others are forgotten, also those that would wait for it (G05).
        if len(owners.solid) == len(owners.refs):
            return NOTHING
        patch = {"metadata": {"ownerReferences": owners.solid}}
        return Decision((*owners.gone, Patch(*where, patch, uid=uid_of(obj))), events)
    # An owner that waits in the foreground wants its dependents to wait for theirs; not in a circle, though (G08).
    holds = bool(owners.waiting) and any(
        not is_deleting(dependent) for _, dependent in _dependents(obj, snapshot)
    )
    how = Propagation.FOREGROUND if holds else Propagation.BACKGROUND
    return Decision((*owners.gone, Delete(*where, uid=uid_of(obj), propagation=how)), events)


def _without(kind: kinds.Kind, obj: Object, finalizer: str) -> Patch:
    rest = [name for name in meta(obj)["finalizers"] if name != finalizer]
    patch = {"metadata": {"finalizers": rest or None}}
    return Patch(kind, namespace_of(obj), name_of(obj), patch, uid=uid_of(obj))


def _orphan(kind: kinds.Kind, owner: Object, snapshot: Snapshot) -> Decision:
    """Strip the references from the dependents, then let the owner go (G04)."""
    strip = []
    for dependent_kind, obj in _dependents(owner, snapshot):
        refs = [r for r in meta(obj)["ownerReferences"] if r.get("uid") != uid_of(owner)]
        patch = {"metadata": {"ownerReferences": refs or None}}
        strip.append(Patch(dependent_kind, namespace_of(obj), name_of(obj), patch, uid=uid_of(obj)))
    return Decision((*((tuple(strip),) if strip else ()), _without(kind, owner, ORPHAN)))


def _foreground(kind: kinds.Kind, owner: Object, snapshot: Snapshot) -> Decision:
    """Wait until no dependent that blocks is left (G03); the dependents delete themselves."""
    for _, obj in _dependents(owner, snapshot):
        for ref in meta(obj)["ownerReferences"]:
            if ref.get("uid") == uid_of(owner) and ref.get("blockOwnerDeletion"):
                return NOTHING
    return Decision((_without(kind, owner, FOREGROUND),))
