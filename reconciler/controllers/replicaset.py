"""ReplicaSets: keep as many Pods as asked for (kube-controller-manager's ``replicaset-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import (
    NOTHING,
    Action,
    Create,
    Decision,
    Delete,
    Notice,
    UpdateStatus,
    Watch,
)
from reconciler.api.objects import (
    Key,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import (
    available_in,
    is_active,
    with_condition,
)
from reconciler.clock import rfc3339
from reconciler.controllers.batches import BURST, deletion_order, slow_start
from reconciler.controllers.ownership import claim
from reconciler.controllers.pod_template import pod_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


class ReplicaSetController:
    """Plans ReplicaSets: adopts, creates and deletes Pods, and counts them."""

    name = "replicaset-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.REPLICA_SET, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _replica_sets_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one ReplicaSet; cost follows the number of its Pods."""
        rs = snapshot.get(kinds.REPLICA_SET, key.namespace, key.name)
        if rs is None:
            return NOTHING
        claims, pods = claim(rs, snapshot)
        active = [pod for pod in pods if is_active(pod)]
        if is_deleting(rs):
            return _with_status(rs, pods, active, now, ())
        return _with_status(rs, pods, active, now, (*claims, *_scale(rs, active, now)))


def _replica_sets_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    ref = controller_of(pod)
    if ref is not None:
        if ref.get("kind") == "ReplicaSet":
            yield Key("apps", "ReplicaSet", namespace_of(pod), str(ref["name"]))
        return
    for rs in snapshot.selecting(kinds.REPLICA_SET, namespace_of(pod), labels_of(pod)):
        yield Key.of(rs)


def _scale(rs: Object, active: list[Object], now: float) -> list[tuple[Action, ...]]:
    missing = replicas_of(rs) - len(active)
    if missing > 0:
        create = Create(pod_of(rs), Notice(rs, "Normal", "SuccessfulCreate", "Created pod: {name}"))
        return slow_start([create] * min(missing, BURST))
    if missing < 0:
        victims = deletion_order(active, now)[: min(-missing, BURST)]
        return [
            tuple(
                Delete(kinds.POD, namespace_of(pod), name_of(pod), uid=uid_of(pod))
                for pod in victims
            )
        ]
    return []


def replicas_of(obj: Object) -> int:
    """Return spec.replicas; unset is 1 (R01)."""
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def _with_status(
    rs: Object,
    pods: list[Object],
    active: list[Object],
    now: float,
    actions: tuple[Action | tuple[Action, ...], ...],
) -> Decision:
    status, requeue = _status(rs, pods, active, now)
    events = tuple(
        Notice(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {action.name}")
        for step in actions
        for action in (step if type(step) is tuple else ())
        if isinstance(action, Delete)
    )
    write = () if status == (rs.get("status") or {}) else (_status_write(rs, status),)

    def failed(action: Action, error: Exception) -> Decision:
        if isinstance(action, Create):
            return _failure(rs, status, "FailedCreate", f"Error creating: {error}", now)
        if isinstance(action, Delete):
            return _failure(rs, status, "FailedDelete", f"Error deleting: {error}", now)
        return NOTHING

    # The counts come first: a Deployment waits for them, and they are true already.
    return Decision((*write, *actions), events, requeue, failed)


def _status_write(rs: Object, status: dict[str, Any]) -> UpdateStatus:
    return UpdateStatus(kinds.REPLICA_SET, namespace_of(rs), name_of(rs), status, uid=uid_of(rs))


def _failure(rs: Object, status: dict[str, Any], reason: str, message: str, now: float) -> Decision:
    new = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(now),
    }
    old = (rs.get("status") or {}).get("conditions") or []
    status = {**status, "conditions": with_condition(old, new)}
    return Decision((_status_write(rs, status),), (Notice(rs, "Warning", reason, message),))


def _status(
    rs: Object, pods: list[Object], active: list[Object], now: float
) -> tuple[dict[str, Any], float | None]:
    """Count (R09); a lasting ReplicaFailure is kept while Pods are missing or too many (R03)."""
    spec = rs["spec"]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    wait = int(spec.get("minReadySeconds") or 0)
    ready = available = labeled = 0
    requeue: float | None = None
    for pod in active:
        labeled += labels.items() <= labels_of(pod).items()
        left = available_in(pod, wait, now)
        if left is None:
            continue
        ready += 1
        if left == 0:
            available += 1
        else:
            requeue = left if requeue is None else min(requeue, left)
    status: dict[str, Any] = {"replicas": len(active)}
    counts = {
        "fullyLabeledReplicas": labeled,
        "readyReplicas": ready,
        "availableReplicas": available,
        "terminatingReplicas": sum(is_deleting(pod) for pod in pods),
    }
    status.update({field: count for field, count in counts.items() if count})
    status["observedGeneration"] = int(rs["metadata"].get("generation") or 0)
    old = (rs.get("status") or {}).get("conditions") or []
    settled = len(active) == replicas_of(rs)
    kept = [c for c in old if not (settled and c.get("type") == "ReplicaFailure")]
    if kept:
        status["conditions"] = kept
    return status, requeue
