"""Places Pods on Nodes: filter, score. Pure.

kube-scheduler's counterpart, as one more planner. It binds through ``pods/binding``; a Pod that fits nowhere
stays Pending with the reason in its condition PodScheduled, and is planned again when a Node changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.decision import NOTHING, Decision, Notice, Patch, UpdateStatus, Watch
from reconciler.api.objects import Key, is_deleting, name_of, namespace_of, uid_of
from reconciler.api.pods import condition, is_finished, with_condition
from reconciler.clock import rfc3339
from reconciler.scheduler.filters import reason_against
from reconciler.scheduler.resources import Usage, requests_of, score
from reconciler.scheduler.volumes import claims_to_wait_for, holds_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

#: How long until a Pod that fits nowhere is looked at again without a change, in seconds.
RETRY = 60.0


class Scheduler:
    """Plans where a Pod without a Node goes."""

    name = "default-scheduler"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.POD, _pod),
            Watch(kinds.NODE, _all_pending),
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, _pending_with_claim),
            Watch(kinds.PERSISTENT_VOLUME, lambda _obj, _snapshot: ()),
            Watch(kinds.STORAGE_CLASS, lambda _obj, _snapshot: ()),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one Pod. Other Pods are looked at only if this one asks for resources or a hostPort."""
        pod = snapshot.get(kinds.POD, key.namespace, key.name)
        if pod is None or not _is_ours(pod):
            return NOTHING
        nodes = list(snapshot.list(kinds.NODE))
        usage = Usage(pod, snapshot)
        fitting: list[Object] = []
        reasons: dict[str, int] = {}
        for node in nodes:
            reason = reason_against(pod, node) or usage.reason_against(node)
            if reason:
                reasons[reason] = reasons.get(reason, 0) + 1
            else:
                fitting.append(node)
        if not fitting:
            return _unschedulable(pod, len(nodes), reasons, now)
        wanted = requests_of(pod)
        node = fitting[0]
        if len(fitting) > 1:
            node = max(fitting, key=lambda n: (score(wanted, usage.on(n), n), name_of(n)))
        waiting = claims_to_wait_for(pod, name_of(node), snapshot)
        if waiting.problem:
            return _unschedulable(pod, len(nodes), {waiting.problem: len(nodes)}, now)
        if waiting.actions or waiting.unbound:
            return Decision(waiting.actions)
        return _bind(pod, name_of(node))


def _is_ours(pod: Object) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not is_deleting(pod)
        and not is_finished(pod)
        and not spec.get("schedulingGates")
        and (spec.get("schedulerName") or Scheduler.name) == Scheduler.name
    )


def _pod(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    if _is_ours(pod):
        yield Key.of(pod)
    elif (is_finished(pod) or is_deleting(pod)) and holds_alone(pod, snapshot):
        yield from _pending_with_claim(pod, snapshot)


def _all_pending(_: Object, snapshot: Snapshot) -> Iterator[Key]:
    for pod in snapshot.list(kinds.POD):
        if _is_ours(pod):
            yield Key.of(pod)


def _pending_with_claim(claim: Object, snapshot: Snapshot) -> Iterator[Key]:
    for pod in snapshot.list(kinds.POD, namespace_of(claim)):
        if _is_ours(pod) and pod["spec"].get("volumes"):
            yield Key.of(pod)


def _bind(pod: Object, node: str) -> Decision:
    namespace, name, uid = namespace_of(pod), name_of(pod), uid_of(pod)
    bind = Patch(kinds.POD, namespace, name, {"spec": {"nodeName": node}}, uid, "binding")
    message = f"Successfully assigned {namespace}/{name} to {node}"
    return Decision((bind,), (Notice(pod, "Normal", "Scheduled", message),))


def _unschedulable(pod: Object, nodes: int, reasons: dict[str, int], now: float) -> Decision:
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    message = f"0/{nodes} nodes are available: {why}." if nodes else "no nodes available"
    old = condition(pod, "PodScheduled") or {}
    if (old.get("reason"), old.get("message")) == ("Unschedulable", message):
        return Decision(requeue_after=RETRY)
    new = {
        "type": "PodScheduled", "status": "False", "lastTransitionTime": rfc3339(now),
        "reason": "Unschedulable", "message": message,
    }  # fmt: skip
    conditions = with_condition((pod.get("status") or {}).get("conditions") or [], new)
    status = {**(pod.get("status") or {}), "conditions": conditions}
    write = UpdateStatus(kinds.POD, namespace_of(pod), name_of(pod), status, uid=uid_of(pod))
    notice = Notice(pod, "Warning", "FailedScheduling", message)
    return Decision((write,), (notice,), RETRY)
