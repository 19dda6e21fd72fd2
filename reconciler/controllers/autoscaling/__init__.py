"""HorizontalPodAutoscalers: the size of a workload follows what its Pods use (``horizontal-pod-autoscaler``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds, selectors
from reconciler.api.conditions import find, updated
from reconciler.api.decision import NOTHING, Action, Decision, Notice, Patch, UpdateStatus, Watch
from reconciler.api.objects import (
    GroupVersionKind,
    Key,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.clock import left_of, rfc3339
from reconciler.controllers.autoscaling.behavior import Event, History, Size, rules, settle
from reconciler.controllers.autoscaling.calculator import NoMetric, Proposal, propose

if TYPE_CHECKING:
    from reconciler.api.decision import Snapshot
    from reconciler.api.metrics import MetricsSource
    from reconciler.api.objects import Object

#: How often usage is looked at, in seconds.
PERIOD = 15.0
_DEFAULT_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


class HorizontalPodAutoscalerController:
    """Plans autoscalers.

    What was recommended and changed lately is remembered here, as kube-controller-manager does: after a restart an
    autoscaler begins with the size that it finds, and does not shrink before its window is over.
    """

    name = "horizontal-pod-autoscaler"

    def __init__(self, source: MetricsSource) -> None:
        self._source = source
        self._memory: dict[str, tuple[float, History]] = {}

    @property
    def watches(self) -> tuple[Watch, ...]:
        # Pods and sizes change all the time: they are read when the period is over, and wake nothing.
        quiet = (kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.REPLICA_SET, kinds.POD)
        return (
            Watch(kinds.HORIZONTAL_POD_AUTOSCALER, lambda obj, _: (Key.of(obj),)),
            *(Watch(kind, lambda _obj, _snapshot: ()) for kind in quiet),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one autoscaler, once a period; cost follows its target's Pods."""
        autoscaler = snapshot.get(kinds.HORIZONTAL_POD_AUTOSCALER, key.namespace, key.name)
        if autoscaler is None or is_deleting(autoscaler):
            return NOTHING
        uid = uid_of(autoscaler)
        last, history = self._memory.get(uid, (0.0, History()))
        seen = int((autoscaler.get("status") or {}).get("observedGeneration") or 0)
        changed = seen != int(meta(autoscaler).get("generation") or 0)
        left = left_of(PERIOD, last, now)
        if left > 0 and not changed:
            return Decision(requeue_after=left)
        decision, history = plan_size(autoscaler, snapshot, self._source, history, now)
        self._memory = {
            known: state
            for known, state in self._memory.items()
            if state[0] > now - 3600  # an autoscaler that is gone is not planned any more
        } | {uid: (now, history)}
        return decision._replace(requeue_after=PERIOD)


def plan_size(
    autoscaler: Object, snapshot: Snapshot, source: MetricsSource, history: History, now: float
) -> tuple[Decision, History]:
    """Decide from what is known and remembered; the same of both gives the same decision. Pure."""
    return _Plan(autoscaler, snapshot, source, history, now).decide()


class _Plan:
    """One planning of one autoscaler."""

    def __init__(
        self, autoscaler: Object, snapshot: Snapshot, source: MetricsSource, history: History,
        now: float,
    ) -> None:  # fmt: skip
        self.autoscaler, self.snapshot, self.source = autoscaler, snapshot, source
        self.history, self.now = history, now
        self.spec = autoscaler["spec"]
        least = self.spec.get("minReplicas")
        self.least, self.most = 1 if least is None else int(least), int(self.spec["maxReplicas"])
        self.conditions = list((autoscaler.get("status") or {}).get("conditions") or ())
        self.events: list[Notice] = []

    def decide(self) -> tuple[Decision, History]:
        ref = self.spec.get("scaleTargetRef") or {}
        gvk = GroupVersionKind.parse(str(ref.get("apiVersion") or ""), str(ref.get("kind") or ""))
        kind = kinds.lookup(gvk.group, gvk.kind)
        where, name = namespace_of(self.autoscaler), str(ref.get("name") or "")
        target = self.snapshot.get(kind, where, name) if kind and kind.scale else None
        if kind is None or target is None:
            told = f'the HPA controller was unable to get the target\'s current scale: {gvk.kind} "{name}" not found'
            if self._set("AbleToScale", "FailedGetScale", told, true=False):
                self._tell("Warning", "FailedGetScale", told)
            return self._result([], {}), self.history
        wanted = target["spec"].get("replicas")
        current = 1 if wanted is None else int(wanted)
        told = "the HPA controller was able to get the target's current scale"
        self._set("AbleToScale", "SucceededGetScale", told)
        if current == 0 and self.least != 0:
            told = "scaling is disabled since the replica count of the target is zero"
            self._set("ScalingActive", "ScalingDisabled", told, true=False)
            return self._result([], {"currentReplicas": 0, "desiredReplicas": 0}), self.history
        if not self.history.recommended:
            first = Event(self.now, current)
            self.history = self.history._replace(recommended=(first,))
        return self._scale(kind, target, current)

    def _scale(self, kind: kinds.Kind, target: Object, current: int) -> tuple[Decision, History]:
        size, why, metrics = self._size(target, current)
        status: dict[str, Any] = {"currentReplicas": current, "desiredReplicas": size}
        if metrics:
            status["currentMetrics"] = metrics
        steps: list[Action] = []
        if size != current:
            patch = {"spec": {"replicas": size}}
            steps.append(
                Patch(kind, namespace_of(target), name_of(target), patch, uid=uid_of(target))
            )
            told = f"the HPA controller was able to update the target scale to {size}"
            self._set("AbleToScale", "SucceededRescale", told)
            self._tell("Normal", "SuccessfulRescale", f"New size: {size}; reason: {why}")
            status["lastScaleTime"] = rfc3339(self.now)
        return self._result(steps, status), self.history.after(current, size, self.now)

    def _size(self, target: Object, current: int) -> tuple[int, str, list[dict[str, Any]]]:
        """Return the size to take, why in words, and what the metrics are now."""
        if current > self.most:
            return self.most, "Current number of replicas above Spec.MaxReplicas", []
        if current < self.least:
            return self.least, "Current number of replicas below Spec.MinReplicas", []
        up, down = rules(self.spec, "scaleUp"), rules(self.spec, "scaleDown")
        found, problem = self._proposals(target, current, (down.tolerance, up.tolerance))
        metrics = [proposal.status for proposal in found]
        best = max(found, key=lambda p: p.replicas, default=None)
        if best is None or (problem is not None and best.replicas < current):
            # What cannot be known may want more: nothing shrinks for what can.
            problem = problem or NoMetric("InvalidMetricSourceType", "no metric is asked for")
            told = f"the HPA was unable to compute the replica count: {problem}"
            if self._set("ScalingActive", problem.reason, told, true=False):
                self._tell("Warning", problem.reason, str(problem))
            return current, "", metrics
        told = f"the HPA was able to successfully calculate a replica count from {best.name}"
        self._set("ScalingActive", "ValidMetricFound", told)
        size = settle(
            current, best.replicas, self.least, self.most, up, down, self.history, self.now
        )
        self.history = size.history
        self._limits(size)
        way = "above" if size.replicas > current else "below"
        why = f"{best.name} {way} target" if way == "above" else "All metrics below target"
        return size.replicas, why, metrics

    def _proposals(
        self, target: Object, current: int, tolerance: tuple[float, float]
    ) -> tuple[list[Proposal], NoMetric | None]:
        selector = target["spec"].get("selector") or {}
        matches = selectors.from_object(selector)
        candidates = self.snapshot.matching(
            kinds.POD, namespace_of(target), selector.get("matchLabels") or {}
        )
        pods = [pod for pod in candidates if matches.matches(labels_of(pod))]
        found: list[Proposal] = []
        problem: NoMetric | None = None
        for metric in self.spec.get("metrics") or [_DEFAULT_METRIC]:
            try:
                found.append(propose(metric, current, pods, self.source, tolerance, self.now))
            except NoMetric as missing:
                problem = problem or missing
        return found, problem

    def _limits(self, size: Size) -> None:
        self._set("AbleToScale", *size.able)
        if size.limited is None:
            told = "the desired count is within the acceptable range"
            self._set("ScalingLimited", "DesiredWithinRange", told, true=False)
        else:
            self._set("ScalingLimited", *size.limited)

    def _set(self, kind: str, reason: str, message: str, *, true: bool = True) -> bool:
        """Set a condition; returns whether that is news: what goes on is not told again every period."""
        before = find(self.conditions, kind) or {}
        news = (before.get("reason"), before.get("message")) != (reason, message)
        self.conditions = updated(
            self.conditions, kind, true=true, reason=reason, message=message, now=self.now
        )
        return news

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self.events.append(Notice(self.autoscaler, type_, reason, message))

    def _result(self, steps: list[Action], status: dict[str, Any]) -> Decision:
        old = self.autoscaler.get("status") or {}
        kept = {
            k: old[k] for k in ("lastScaleTime", "currentReplicas", "desiredReplicas") if k in old
        }
        generation = int(meta(self.autoscaler).get("generation") or 0)
        wanted: dict[str, Any] = {"desiredReplicas": 0, **kept, **status}
        if generation:
            wanted["observedGeneration"] = generation
        wanted["conditions"] = self.conditions
        if wanted != old:
            where = namespace_of(self.autoscaler), name_of(self.autoscaler)
            steps.append(
                UpdateStatus(
                    kinds.HORIZONTAL_POD_AUTOSCALER, *where, wanted, uid_of(self.autoscaler)
                )
            )
        return Decision(tuple(steps), tuple(self.events))
