"""PodDisruptionBudgets: how many Pods may be evicted now (``disruption-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.conditions import find
from reconciler.api.decision import NOTHING, Decision, Notice, UpdateStatus, Watch
from reconciler.api.disruption import covers, still_disrupted
from reconciler.api.int_or_string import scaled
from reconciler.api.objects import (
    GroupVersionKind,
    Key,
    controller_of,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_finished, is_ready
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


class DisruptionController:
    """Plans PodDisruptionBudgets: their status is what evictions are measured by."""

    name = "disruption-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.POD_DISRUPTION_BUDGET, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _budgets_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Count for one budget; cost follows the Pods it covers."""
        budget = snapshot.get(kinds.POD_DISRUPTION_BUDGET, key.namespace, key.name)
        if budget is None or is_deleting(budget):
            return NOTHING
        labels = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
        pods = [
            pod
            for pod in snapshot.matching(kinds.POD, key.namespace, labels)
            if covers(budget, pod) and not is_finished(pod)
        ]
        disrupted, recheck = still_disrupted(budget, pods, now)
        expected, desired, unmanaged = _needed(budget["spec"], pods, snapshot)
        healthy = sum(
            is_ready(pod) and not is_deleting(pod) and name_of(pod) not in disrupted for pod in pods
        )
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status: dict[str, Any] = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "observedGeneration": int(meta(budget).get("generation") or 0),
            "conditions": _conditions(budget, allowed, now),
        }
        if disrupted:
            status["disruptedPods"] = disrupted
        events = (_unmanaged(budget, unmanaged),) if unmanaged else ()
        old = budget.get("status") or {}
        if status == old:
            return Decision((), (), recheck)
        write = UpdateStatus(
            kinds.POD_DISRUPTION_BUDGET, key.namespace, key.name, status, uid_of(budget)
        )
        return Decision((write,), events, recheck)


def _budgets_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    where = namespace_of(pod)
    for budget in snapshot.selecting(
        kinds.POD_DISRUPTION_BUDGET, where, meta(pod).get("labels") or {}
    ):
        yield Key.of(budget)


def _needed(
    spec: dict[str, Any], pods: list[Object], snapshot: Snapshot
) -> tuple[int, int, list[str]]:
    """Return how many Pods are expected, how many must be healthy, and which Pods nobody scales."""
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is None and not isinstance(least, str):
        return len(pods), 1 if least is None else int(least), []
    expected, unmanaged = _expected(pods, snapshot)
    if most is not None:
        return expected, max(0, expected - scaled(most, expected, round_up=True)), unmanaged
    return expected, scaled(least, expected, round_up=True), unmanaged


def _expected(pods: Iterable[Object], snapshot: Snapshot) -> tuple[int, list[str]]:
    """Add up what the Pods' controllers want: a Pod that is missing counts as well."""
    scales: dict[str, int] = {}
    unmanaged: list[str] = []
    for pod in pods:
        owner = _top(pod, snapshot)
        if owner is None:
            unmanaged.append(name_of(pod))
        else:
            wanted = owner["spec"].get("replicas")
            scales[uid_of(owner)] = 1 if wanted is None else int(wanted)
    return sum(scales.values()), unmanaged


def _top(pod: Object, snapshot: Snapshot) -> Object | None:
    """Return what scales a Pod: the controller that can be scaled, of its controllers the highest."""
    found: Object | None = None
    obj: Object | None = pod
    while obj is not None:
        ref = controller_of(obj)
        if ref is None:
            break
        gvk = GroupVersionKind.parse(str(ref.get("apiVersion")), str(ref.get("kind")))
        kind = kinds.lookup(gvk.group, gvk.kind)
        obj = snapshot.get(kind, namespace_of(pod), str(ref.get("name"))) if kind else None
        if obj is None or uid_of(obj) != ref.get("uid") or kind is None or not kind.scale:
            break
        found = obj
    return found


def _conditions(budget: Object, allowed: int, now: float) -> list[dict[str, Any]]:
    old = find((budget.get("status") or {}).get("conditions"), "DisruptionAllowed") or {}
    status = "True" if allowed > 0 else "False"
    same = old.get("status") == status
    return [
        {
            "type": "DisruptionAllowed",
            "status": status,
            "reason": "SufficientPods" if allowed > 0 else "InsufficientPods",
            "message": "",
            "observedGeneration": int(meta(budget).get("generation") or 0),
            "lastTransitionTime": old["lastTransitionTime"] if same else rfc3339(now),
        }
    ]


def _unmanaged(budget: Object, names: list[str]) -> Notice:
    told = f"Pods selected by this PodDisruptionBudget (selector) were found to be unmanaged: {', '.join(names[:10])}"
    return Notice(budget, "Warning", "UnmanagedPods", told)
