"""Every namespace has a ServiceAccount ``default``, as which Pods run that name none (``serviceaccount-controller``; G13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.decision import NOTHING, Create, Decision, Watch
from reconciler.api.objects import Key, is_deleting, name_of, namespace_of

if TYPE_CHECKING:
    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

DEFAULT = "default"


class ServiceAccountController:
    """Plans the default accounts of namespaces."""

    name = "serviceaccount-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.NAMESPACE, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.SERVICE_ACCOUNT, _namespace_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002 - a Controller's signature
        """Decide for one Namespace: what is missing is made, what a user changed stays."""
        namespace = snapshot.get(kinds.NAMESPACE, "", key.name)
        if namespace is None or is_deleting(namespace):
            return NOTHING
        if snapshot.get(kinds.SERVICE_ACCOUNT, key.name, DEFAULT) is not None:
            return NOTHING
        account: Object = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": DEFAULT, "namespace": key.name},
        }
        return Decision((Create(account),))


def _namespace_of(obj: Object, snapshot: Snapshot) -> tuple[Key, ...]:
    if name_of(obj) != DEFAULT:
        return ()
    namespace = snapshot.get(kinds.NAMESPACE, "", namespace_of(obj))
    return (Key.of(namespace),) if namespace is not None else ()
