"""Namespaces that are deleted: empty them, then let them go (``namespace-controller``; G11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.client import Propagation
from reconciler.api.decision import NOTHING, Absent, Action, Decision, Delete, Update, Watch
from reconciler.api.objects import Key, is_deleting, name_of, namespace_of, uid_of

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

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
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
            return Decision((deletes,) if deletes else (), requeue_after=RETRY)
        looks: list[Action] = [Absent(kind, key.name) for kind in known]
        rest = [name for name in held_by if name != FINALIZER]
        spec = {**(namespace.get("spec") or {}), "finalizers": rest}
        return Decision((*looks, Update({**namespace, "spec": spec})))


def _terminating(obj: Object, snapshot: Snapshot) -> tuple[Key, ...]:
    namespace = snapshot.get(kinds.NAMESPACE, "", namespace_of(obj))
    return (Key.of(namespace),) if namespace is not None and is_deleting(namespace) else ()


def _delete(kind: kinds.Kind, obj: Object) -> Delete:
    return Delete(
        kind, namespace_of(obj), name_of(obj), uid=uid_of(obj), propagation=Propagation.BACKGROUND
    )
