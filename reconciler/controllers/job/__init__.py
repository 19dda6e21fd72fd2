"""Jobs: Pods that run to their end (``job-controller``)."""

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
    Patch,
    UpdateStatus,
    Watch,
)
from reconciler.api.objects import (
    Key,
    controller_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_active, is_finished, is_ready, phase
from reconciler.clock import rfc3339
from reconciler.controllers.batches import BURST, deletion_order, slow_start
from reconciler.controllers.job import backoff
from reconciler.controllers.job.indexes import index_of
from reconciler.controllers.job.outcome import (
    Outcome,
    is_over,
    outcome_of,
    time_left,
    true_condition,
)
from reconciler.controllers.job.tally import (
    FINALIZER,
    has_failed,
    is_indexed,
    is_tracked,
    only_failed_are_replaced,
    status_of,
    tally,
)
from reconciler.controllers.job.template import job_pod
from reconciler.controllers.ownership import claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

NAME_LABEL = "batch.kubernetes.io/job-name"
_MANAGER = "kubernetes.io/job-controller"


class JobController:
    """Plans Jobs."""

    name = "job-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.JOB, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _jobs_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one Job; cost follows the number of its Pods."""
        job = snapshot.get(kinds.JOB, key.namespace, key.name)
        if job is None:
            return _release_orphans(key, snapshot)
        if job["spec"].get("managedBy") not in (None, _MANAGER):
            return NOTHING
        claims, pods = claim(job, snapshot, finalizer=FINALIZER)
        if is_over(job):
            return Decision(tuple(_released(_tracked(pods))))
        return _Plan(job, pods, claims, now).decide()


def _jobs_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    ref = controller_of(pod)
    if ref is not None:
        if ref.get("kind") == "Job":
            yield Key("batch", "Job", namespace_of(pod), str(ref["name"]))
        return
    if is_tracked(pod) and NAME_LABEL in labels_of(pod):
        yield Key("batch", "Job", namespace_of(pod), labels_of(pod)[NAME_LABEL])
    for job in snapshot.selecting(kinds.JOB, namespace_of(pod), labels_of(pod)):
        yield Key.of(job)


def _release_orphans(key: Key, snapshot: Snapshot) -> Decision:
    """A Pod whose Job is gone is counted by nobody: nothing holds it any more."""
    pods = snapshot.matching(kinds.POD, key.namespace, {NAME_LABEL: key.name})
    return Decision(tuple(_released(_tracked(pods))))


def _tracked(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if is_tracked(pod)]


def _released(pods: list[Object]) -> list[tuple[Action, ...]]:
    if not pods:
        return []
    return [tuple(_without_finalizer(pod) for pod in pods)]


def _without_finalizer(pod: Object) -> Patch:
    rest = [name for name in meta(pod)["finalizers"] if name != FINALIZER]
    patch = {"metadata": {"finalizers": rest or None}}
    return Patch(kinds.POD, namespace_of(pod), name_of(pod), patch, uid=uid_of(pod))


class _Plan:
    """One planning of one Job that is not over."""

    def __init__(self, job: Object, pods: list[Object], claims: list[Action], now: float) -> None:
        self.job, self.pods, self.claims, self.now = job, pods, claims, now
        self.spec = job["spec"]
        self.old = job.get("status") or {}
        self.indexed = is_indexed(job)
        completions = self.spec.get("completions")
        self.completions = None if completions is None else int(completions)
        self.suspended = bool(self.spec.get("suspend"))
        self.active = [pod for pod in pods if is_active(pod)]
        self.going = [pod for pod in pods if is_deleting(pod) and not is_finished(pod)]
        self.tally = tally(job, pods)
        self.requeue: float | None = None
        self.events: list[Notice] = []

    def decide(self) -> Decision:
        left = time_left(self.job, self._start(), self.now)
        outcome = outcome_of(self.job, self.tally, self.active, left)
        if left is not None and left > 0:
            self._wake(left)
        status = self._status(outcome)
        steps: list[Action | tuple[Action, ...]] = []
        if status != self.old:
            steps.append(self._write(status))
        steps += [tuple(self.claims)] if self.claims else []
        steps += _released(self.tally.release)
        if outcome is not None:
            steps += self._delete(self.active)
        elif not is_deleting(self.job):
            steps += self._manage()

        def failed(action: Action, error: Exception) -> Decision:
            if isinstance(action, Create):
                told = f"Error creating: {error}"
                return Decision((), (Notice(self.job, "Warning", "FailedCreate", told),))
            return NOTHING

        return Decision(tuple(steps), tuple(self.events), self.requeue, failed)

    def _write(self, status: dict[str, Any]) -> UpdateStatus:
        job = self.job
        return UpdateStatus(kinds.JOB, namespace_of(job), name_of(job), status, uid=uid_of(job))

    def _wake(self, seconds: float) -> None:
        self.requeue = seconds if self.requeue is None else min(self.requeue, seconds)

    # -- the status ----------------------------------------------------------------------------------------------

    def _resumes(self) -> bool:
        return not self.suspended and true_condition(self.job, "Suspended") is not None

    def _start(self) -> str | None:
        """Return status.startTime: the first time it was not suspended, or the last time it was resumed."""
        start = self.old.get("startTime")
        if self.suspended:
            return start
        return rfc3339(self.now) if start is None or self._resumes() else str(start)

    def _status(self, outcome: Outcome | None) -> dict[str, Any]:
        status: dict[str, Any] = {
            "ready": sum(is_ready(pod) for pod in self.active),
            "terminating": len(self.going),
            **status_of(self.tally, self.job),
        }
        if self.active:
            status["active"] = len(self.active)
        start = self._start()
        if start is not None:
            status["startTime"] = start
        conditions = self._conditions(outcome)
        over = outcome is not None and self._everything_ended()
        if outcome is not None and over:
            conditions = self._set(conditions, outcome.final, outcome.reason, outcome.message)
            if outcome.final == "Complete":
                status["completionTime"] = rfc3339(self.now)
                self._tell("Normal", "Completed", "Job completed")
            else:
                self._tell("Warning", outcome.reason, outcome.message)
        if conditions:
            status["conditions"] = conditions
        return status

    def _everything_ended(self) -> bool:
        """A Job is over only when each of its Pods is, and is counted."""
        return not (self.active or self.going or self.tally.uncounted or self.tally.release)

    def _conditions(self, outcome: Outcome | None) -> list[dict[str, Any]]:
        conditions = list(self.old.get("conditions") or ())
        if outcome is not None:
            if true_condition(self.job, outcome.type) is None:
                conditions = self._set(conditions, outcome.type, outcome.reason, outcome.message)
            return conditions
        if self.suspended and true_condition(self.job, "Suspended") is None:
            self._tell("Normal", "Suspended", "Job suspended")
            return self._set(conditions, "Suspended", "JobSuspended", "Job suspended")
        if self._resumes():
            self._tell("Normal", "Resumed", "Job resumed")
            return self._set(conditions, "Suspended", "JobResumed", "Job resumed", status="False")
        return conditions

    def _set(
        self, conditions: list[dict[str, Any]], type_: str, reason: str, message: str,
        status: str = "True",
    ) -> list[dict[str, Any]]:  # fmt: skip
        stamp = rfc3339(self.now)
        new = {
            "type": type_, "status": status, "lastProbeTime": stamp, "lastTransitionTime": stamp,
            "reason": reason, "message": message,
        }  # fmt: skip
        return [*(c for c in conditions if c.get("type") != type_), new]

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self.events.append(Notice(self.job, type_, reason, message))

    # -- its Pods ------------------------------------------------------------------------------------------------

    def _wanted(self) -> int:
        """Return how many Pods should run now."""
        parallel = self.spec.get("parallelism")
        parallel = 1 if parallel is None else int(parallel)
        if self.suspended:
            return 0
        if self.completions is None:
            # A work queue: after the first success no new Pod is begun.
            return min(parallel, len(self.active)) if self.tally.succeeded else parallel
        left = self.completions - self.tally.succeeded - len(self.tally.failed_indexes)
        return max(0, min(parallel, left))

    def _manage(self) -> list[tuple[Action, ...]]:
        wanted = self._wanted()
        active = self.active
        surplus = self._let_go()
        if self.indexed:
            surplus += self._superfluous(surplus)
        extra = {uid_of(pod) for pod in surplus}
        kept = [pod for pod in active if uid_of(pod) not in extra]
        if len(kept) > wanted:
            surplus = [*surplus, *deletion_order(kept, self.now)[: len(kept) - wanted]]
        if surplus:
            # Not for the tally: whom the controller itself does not want has not failed.
            return [*_released(_tracked(surplus[:BURST])), *self._delete(surplus[:BURST])]
        waiting = len(self.going) if only_failed_are_replaced(self.job) else 0
        missing = min(wanted - len(active) - waiting, BURST)
        if missing <= 0:
            return []
        return self._create(missing)

    def _let_go(self) -> list[Object]:
        """Return own Pods that lost their finalizer to be deleted, and were not: their end would count for nothing."""
        return [pod for pod in self.active if controller_of(pod) and not is_tracked(pod)]

    def _superfluous(self, others: list[Object]) -> list[Object]:
        """Return active Pods, ``others`` aside, of an index that is out of range, done already, or has an older Pod."""
        seen: set[int] = set()
        found = []
        apart = {uid_of(pod) for pod in others}
        active = [pod for pod in self.active if uid_of(pod) not in apart]
        for pod in sorted(active, key=lambda p: p["metadata"].get("creationTimestamp") or ""):
            index = index_of(pod)
            if (
                index is None
                or index >= (self.completions or 0)
                or index in seen
                or (index in self.tally.completed)
            ):
                found.append(pod)
            else:
                seen.add(index)
        return found

    def _create(self, missing: int) -> list[tuple[Action, ...]]:
        per_index = self.indexed and self.spec.get("backoffLimitPerIndex") is not None
        if not per_index:
            ended = [pod for pod in self.pods if self._failed(pod)]
            done = [pod for pod in self.pods if phase(pod) == "Succeeded"]
            left = backoff.remaining(done, ended, self.now)
            if left > 0:
                self._wake(left)
                return []
        if not self.indexed:
            pods = [job_pod(self.job)] * missing
        else:
            pods = self._pods_of_indexes(missing, per_index=per_index)
        notice = Notice(self.job, "Normal", "SuccessfulCreate", "Created pod: {name}")
        return slow_start([Create(pod, notice) for pod in pods])

    def _pods_of_indexes(self, missing: int, *, per_index: bool) -> list[Object]:
        """Return Pods for the lowest indexes that need one and need not wait."""
        busy = {index_of(pod) for pod in self.active}
        if only_failed_are_replaced(self.job):
            busy |= {index_of(pod) for pod in self.going}
        busy |= self.tally.completed | self.tally.failed_indexes
        last = self._last_failures() if per_index else {}
        pods: list[Object] = []
        for index in range(self.completions or 0):
            if len(pods) == missing:
                break
            if index in busy:
                continue
            before = last.get(index)
            if before is not None:
                left = backoff.remaining_of_index(before, self.now)
                if left > 0:
                    self._wake(left)
                    continue
            pods.append(job_pod(self.job, index, before))
        return pods

    def _failed(self, pod: Object) -> bool:
        return phase(pod) == "Failed" or (is_tracked(pod) and has_failed(self.job, pod))

    def _last_failures(self) -> dict[int, Object]:
        """Return each index' failed Pod that failed last: the one with the most failures before it."""
        last: dict[int, Object] = {}
        for pod in self.pods:
            index = index_of(pod)
            if index is None or not self._failed(pod):
                continue
            known = last.get(index)
            if known is None or _attempt(pod) > _attempt(known):
                last[index] = pod
        return last

    def _delete(self, pods: list[Object]) -> list[tuple[Action, ...]]:
        if not pods:
            return []
        for pod in pods:
            self._tell("Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        return [
            tuple(
                Delete(kinds.POD, namespace_of(pod), name_of(pod), uid=uid_of(pod)) for pod in pods
            )
        ]


def _attempt(pod: Object) -> int:
    return backoff.count(pod, backoff.FAILURES) + backoff.count(pod, backoff.IGNORED)
