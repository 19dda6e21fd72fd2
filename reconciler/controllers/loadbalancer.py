"""Addresses in the status of Ingresses and of Services of type LoadBalancer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import NOTHING, Decision, UpdateStatus, Watch
from reconciler.api.objects import Key, annotations_of, is_deleting, name_of, namespace_of, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

INGRESS_CONTROLLER = "reconciler.dev/ingress"
_IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_CLASS = "kubernetes.io/ingress.class"


class IngressStatusController:
    """Writes the proxy's address into Ingresses of its class."""

    name = "ingress-controller"

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = address

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.INGRESS, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.INGRESS_CLASS, _all_ingresses),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        ingress = snapshot.get(kinds.INGRESS, key.namespace, key.name)
        if ingress is None or is_deleting(ingress) or not _is_ours(ingress, snapshot):
            return NOTHING
        return _address(kinds.INGRESS, ingress, [{"ip": self._address}])


class LoadBalancerController:
    """Writes the machine's address into Services of type LoadBalancer."""

    name = "service-controller"

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = address

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(kinds.SERVICE, lambda obj, _: (Key.of(obj),)),)

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        service = snapshot.get(kinds.SERVICE, key.namespace, key.name)
        if service is None or is_deleting(service):
            return NOTHING
        spec = service.get("spec") or {}
        if spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass"):
            return _address(kinds.SERVICE, service, [{"ip": self._address, "ipMode": "VIP"}])
        if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
            return _address(kinds.SERVICE, service, [])
        return NOTHING


def _all_ingresses(_: Object, snapshot: Snapshot) -> Iterator[Key]:
    for ingress in snapshot.list(kinds.INGRESS):
        yield Key.of(ingress)


def _is_ours(ingress: Object, snapshot: Snapshot) -> bool:
    name = (ingress.get("spec") or {}).get("ingressClassName") or annotations_of(ingress).get(
        _CLASS
    )
    if name:
        found = snapshot.get(kinds.INGRESS_CLASS, "", name)
        return ((found or {}).get("spec") or {}).get("controller") == INGRESS_CONTROLLER
    defaults = [
        obj
        for obj in snapshot.list(kinds.INGRESS_CLASS)
        if annotations_of(obj).get(_IS_DEFAULT) == "true"
    ]
    return any((obj.get("spec") or {}).get("controller") == INGRESS_CONTROLLER for obj in defaults)


def _address(kind: kinds.Kind, obj: Object, ingress: list[dict[str, Any]]) -> Decision:
    status = obj.get("status") or {}
    wanted = {**status, "loadBalancer": {"ingress": ingress} if ingress else {}}
    if wanted == status:
        return NOTHING
    return Decision((UpdateStatus(kind, namespace_of(obj), name_of(obj), wanted, uid=uid_of(obj)),))
