"""Namespaces that are deleted: empty them, then let them go (``namespace-controller``; G11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.client import Propagation
from reconciler.api.conditions import updated
from reconciler.api.decision import (
    NOTHING,
    Absent,
    Action,
    Decision,
    Delete,
    Update,
    UpdateStatus,
    Watch,
)
from reconciler.api.objects import Key, is_deleting, meta, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

#: The finalizer in a Namespace's spec that this controller answers for.
FINALIZER = "kubernetes"
#: How long until a Namespace whose content goes slowly is looked at again, in seconds.
RETRY = 5.0


class NamespaceController:
    """Plans Namespaces that are being deleted."""

    name = "namespace-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        content = (Watch(kind, _terminating) for kind in kinds.KINDS if kind.namespaced)
        return (Watch(kinds.NAMESPACE, lambda obj, _: (Key.of(obj),)), *content)

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one Namespace: Pods go first, then the rest, then the finalizer."""
        namespace = snapshot.get(kinds.NAMESPACE, "", key.name)
        if namespace is None or not is_deleting(namespace):
            return NOTHING
        held_by = (namespace.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in held_by:
            return NOTHING
        known = [kind for kind in snapshot.kinds() if kind.namespaced]
        content = {kind: list(snapshot.list(kind, key.name)) for kind in known}
        if any(content.values()):
            pods = content.get(kinds.POD)
            first = {kinds.POD: pods} if pods else content
            deletes = tuple(
                _delete(kind, obj)
                for kind, objects in first.items()
                for obj in objects
                if not is_deleting(obj)
            )
            steps: list[Action | tuple[Action, ...]] = [deletes] if deletes else []
            status = {**(namespace.get("status") or {}), "phase": "Terminating"}
            status["conditions"] = _remaining(namespace, content, now)
            if status != namespace.get("status"):
                steps.append(
                    UpdateStatus(kinds.NAMESPACE, "", key.name, status, uid=uid_of(namespace))
                )
            return Decision(tuple(steps), requeue_after=RETRY)
        looks: list[Action] = [Absent(kind, key.name) for kind in known]
        rest = [name for name in held_by if name != FINALIZER]
        spec = {**(namespace.get("spec") or {}), "finalizers": rest}
        return Decision((*looks, Update({**namespace, "spec": spec})))


def _remaining(
    namespace: Object, content: dict[kinds.Kind, list[Object]], now: float
) -> list[dict[str, Any]]:
    """Return the conditions that say what is left, and which finalizers hold it (G12)."""
    left = {kind: objects for kind, objects in content.items() if objects}
    counts = ", ".join(
        f"{kind.resource} has {len(objects)} resource instances"
        for kind, objects in sorted(left.items(), key=lambda item: item[0].resource)
    )
    holders: dict[str, int] = {}
    for objects in left.values():
        for obj in objects:
            for name in meta(obj).get("finalizers") or ():
                holders[name] = holders.get(name, 0) + 1
    found = (namespace.get("status") or {}).get("conditions")
    found = updated(
        found, "NamespaceContentRemaining", true=bool(left), reason="SomeResourcesRemain",
        message=f"Some resources are remaining: {counts}", now=now,
    )  # fmt: skip
    if not holders:
        return found
    told = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(holders.items())
    )
    return updated(
        found, "NamespaceFinalizersRemaining", true=True, reason="SomeFinalizersRemain",
        message=f"Some content in the namespace has finalizers remaining: {told}", now=now,
    )  # fmt: skip


def _terminating(obj: Object, snapshot: Snapshot) -> tuple[Key, ...]:
    namespace = snapshot.get(kinds.NAMESPACE, "", namespace_of(obj))
    return (Key.of(namespace),) if namespace is not None and is_deleting(namespace) else ()


def _delete(kind: kinds.Kind, obj: Object) -> Delete:
    return Delete(
        kind, namespace_of(obj), name_of(obj), uid=uid_of(obj), propagation=Propagation.BACKGROUND
    )
