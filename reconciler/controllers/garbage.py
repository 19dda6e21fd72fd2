"""The garbage collector: objects whose owners are gone, and owners that wait for dependents (G01 to G08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.client import Propagation
from reconciler.api.decision import NOTHING, Absent, Action, Decision, Delete, Patch, Watch
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


def _dependent(kind: kinds.Kind, obj: Object, snapshot: Snapshot) -> Decision:
    refs = meta(obj).get("ownerReferences") or []
    followed = set(snapshot.kinds())
    looks: list[Action] = []
    solid, waiting = [], []
    for ref in refs:
        key = _owner_key(obj, ref)
        owner_kind = kinds.lookup(key.group, key.kind)
        if owner_kind is None or owner_kind not in followed:
            solid.append(ref)  # a kind that nobody follows here cannot be told absent
            continue
        owner = snapshot.get(owner_kind, key.namespace, key.name)
        if owner is None or uid_of(owner) != ref.get("uid"):
            looks.append(Absent(owner_kind, key.namespace, key.name, str(ref.get("uid") or "")))
        elif is_deleting(owner) and FOREGROUND in (meta(owner).get("finalizers") or ()):
            waiting.append(ref)
        else:
            solid.append(ref)
    if not refs or (not looks and not waiting):
        return NOTHING
    where = (kind, namespace_of(obj), name_of(obj))
    if solid:
        if not looks:
            return NOTHING
        patch = {"metadata": {"ownerReferences": [*solid, *waiting]}}
        return Decision((*looks, Patch(*where, patch, uid=uid_of(obj))))
    # An owner that waits in the foreground wants its dependents to wait for theirs.
    holds = bool(waiting) and any(True for _ in _dependents(obj, snapshot))
    how = Propagation.FOREGROUND if holds else Propagation.BACKGROUND
    return Decision((*looks, Delete(*where, uid=uid_of(obj), propagation=how)))


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
