"""Counting a Job's ended Pods, each exactly once (KEP-2307).

A Pod carries a finalizer until its end has been written down: first its uid goes into
``status.uncountedTerminatedPods``, then its finalizer goes, then the uid becomes one more of ``succeeded`` or
``failed``. Whatever is interrupted between these steps is taken up again from what is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import is_deleting, meta, uid_of
from reconciler.api.pods import phase
from reconciler.controllers.job import backoff, policy
from reconciler.controllers.job.indexes import index_of, parse, show

if TYPE_CHECKING:
    from reconciler.api.objects import Object

FINALIZER = "batch.kubernetes.io/job-tracking"
#: Uncounted Pods are written down so many at a time: a status stays small.
MOST_UNCOUNTED = 500


class Tally(NamedTuple):
    """``succeeded`` and ``failed`` hold everything known; ``counted_*`` and ``uncounted`` are what to write down.

    ``release`` are the Pods whose finalizer may go once the status is written; ``fail_job`` is why the
    podFailurePolicy ends the Job, where it does.
    """

    succeeded: int
    failed: int
    completed: set[int]
    failed_indexes: set[int]
    counted_succeeded: int
    counted_failed: int
    uncounted: dict[str, list[str]]
    release: list[Object]
    fail_job: str


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def only_failed_are_replaced(job: Object) -> bool:
    """Whether a Pod is replaced only once it is Failed, and not as soon as it is being deleted (KEP-3939)."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or bool(spec.get("podFailurePolicy"))


def has_failed(job: Object, pod: Object) -> bool:
    """Whether a Pod counts as failed: one that is being deleted may never come to report its end."""
    if phase(pod) == "Failed":
        return True
    if only_failed_are_replaced(job):
        return False
    return is_deleting(pod) and phase(pod) != "Succeeded"


def is_tracked(pod: Object) -> bool:
    return FINALIZER in (meta(pod).get("finalizers") or ())


def tally(job: Object, pods: list[Object]) -> Tally:
    """Count a Job's Pods; cost follows their number."""
    counting = _Counting(job, pods)
    for pod in pods:
        if is_tracked(pod):
            counting.take(pod)
    return counting.result()


class _Counting:
    """One counting: what is written already, and what the Pods add to it."""

    def __init__(self, job: Object, pods: list[Object]) -> None:
        self.job, self.indexed = job, is_indexed(job)
        self.completions = int(job["spec"].get("completions") or 0)
        status = job.get("status") or {}
        written = status.get("uncountedTerminatedPods") or {}
        held = {uid_of(pod) for pod in pods if is_tracked(pod)}
        self.succeeded = [u for u in written.get("succeeded") or () if u in held]
        self.failed = [u for u in written.get("failed") or () if u in held]
        self.known = {*self.succeeded, *self.failed}
        self.counted_succeeded = int(status.get("succeeded") or 0) + (
            len(written.get("succeeded") or ()) - len(self.succeeded)
        )
        self.counted_failed = int(status.get("failed") or 0) + (
            len(written.get("failed") or ()) - len(self.failed)
        )
        self.completed = self._indexes(status.get("completedIndexes"))
        self.lost = self._indexes(status.get("failedIndexes"))
        self.release: list[Object] = []
        self.fail_job = ""

    def _indexes(self, text: str | None) -> set[int]:
        return parse(text, self.completions) if self.indexed and text else set()

    def take(self, pod: Object) -> None:
        """Count one Pod that still has its finalizer, if it has ended."""
        full = len(self.succeeded) + len(self.failed) >= MOST_UNCOUNTED
        if uid_of(pod) in self.known:
            self.release.append(pod)
        elif phase(pod) == "Succeeded" and (self.indexed or not full):
            self.release.append(pod)
            if not self.indexed:
                self.succeeded.append(uid_of(pod))
            elif _in_range(pod, self.completions):
                self.completed.add(index_of(pod) or 0)
        elif has_failed(self.job, pod) and not full:
            self.release.append(pod)
            if not self.indexed or _in_range(pod, self.completions):
                self._fail(pod)

    def _fail(self, pod: Object) -> None:
        verdict = policy.Verdict()
        if phase(pod) == "Failed":
            verdict = policy.on_failure(self.job, pod)
        if verdict.action == policy.FAIL_JOB:
            self.fail_job = self.fail_job or verdict.message
        if self.indexed and _loses_index(self.job, pod, verdict):
            self.lost.add(index_of(pod) or 0)
        if verdict.action != policy.IGNORE:
            self.failed.append(uid_of(pod))

    def result(self) -> Tally:
        counted = len(self.completed) if self.indexed else self.counted_succeeded
        uncounted = {"succeeded": self.succeeded, "failed": self.failed}
        return Tally(
            succeeded=counted + len(self.succeeded),
            failed=self.counted_failed + len(self.failed),
            completed=self.completed,
            failed_indexes=self.lost - self.completed,
            counted_succeeded=counted,
            counted_failed=self.counted_failed,
            uncounted={end: uids for end, uids in uncounted.items() if uids},
            release=self.release,
            fail_job=self.fail_job,
        )


def _in_range(pod: Object, completions: int) -> bool:
    index = index_of(pod)
    return index is not None and index < completions


def _loses_index(job: Object, pod: Object, verdict: policy.Verdict) -> bool:
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is None or verdict.action == policy.IGNORE:
        return False
    return verdict.action == policy.FAIL_INDEX or backoff.count(pod, backoff.FAILURES) >= int(limit)


def status_of(tally_: Tally, job: Object) -> dict[str, Any]:
    """Return the part of a status that the tally decides."""
    found: dict[str, Any] = {"uncountedTerminatedPods": tally_.uncounted}
    if tally_.counted_succeeded:
        found["succeeded"] = tally_.counted_succeeded
    if tally_.counted_failed:
        found["failed"] = tally_.counted_failed
    if is_indexed(job):
        if tally_.completed:
            found["completedIndexes"] = show(tally_.completed)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            found["failedIndexes"] = show(tally_.failed_indexes)
    return found
