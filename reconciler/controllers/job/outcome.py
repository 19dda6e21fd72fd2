"""How a Job ends: what makes it fail, what makes it complete. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.conditions import find
from reconciler.clock import parse_rfc3339
from reconciler.controllers.job import policy
from reconciler.controllers.job.tally import is_indexed

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.controllers.job.tally import Tally


class Outcome(NamedTuple):
    """How a Job ends: ``type`` is FailureTarget or SuccessCriteriaMet until its last Pod is gone."""

    type: str
    reason: str
    message: str

    @property
    def final(self) -> str:
        return "Complete" if self.type == "SuccessCriteriaMet" else "Failed"


def is_over(job: Object) -> bool:
    """Whether a Job is Complete or Failed."""
    return true_condition(job, "Complete") is not None or true_condition(job, "Failed") is not None


def true_condition(job: Object, type_: str) -> dict[str, Any] | None:
    """Return a condition of a Job if it is there and True."""
    found = find((job.get("status") or {}).get("conditions"), type_)
    return found if found is not None and found.get("status") == "True" else None


def outcome_of(
    job: Object, tally: Tally, active: list[Object], left: float | None
) -> Outcome | None:
    """Return how a Job ends, once that is certain; what is written down already stands.

    ``left`` is what ``time_left`` says.
    """
    for type_ in ("SuccessCriteriaMet", "FailureTarget"):
        found = true_condition(job, type_)
        if found is not None:
            return Outcome(type_, str(found.get("reason")), str(found.get("message")))
    return _failure(job, tally, active, left) or _success(job, tally, active)


def time_left(job: Object, start: str | None, now: float) -> float | None:
    """Return how many seconds of activeDeadlineSeconds are left; None where there is no deadline now."""
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is None or start is None or job["spec"].get("suspend"):
        return None
    return parse_rfc3339(start) + float(deadline) - now


def _failure(job: Object, tally: Tally, active: list[Object], left: float | None) -> Outcome | None:
    if tally.fail_job:
        return Outcome("FailureTarget", "PodFailurePolicy", tally.fail_job)
    limit = job["spec"].get("backoffLimit")
    limit = 6 if limit is None else int(limit)
    if tally.failed > limit or _restarted_too_often(job, active, limit):
        told = "Job has reached the specified backoff limit"
        return Outcome("FailureTarget", "BackoffLimitExceeded", told)
    if left is not None and left <= 0:
        told = "Job was active longer than specified deadline"
        return Outcome("FailureTarget", "DeadlineExceeded", told)
    return _failed_indexes(job, tally) if is_indexed(job) else None


def _failed_indexes(job: Object, tally: Tally) -> Outcome | None:
    lost, most = len(tally.failed_indexes), job["spec"].get("maxFailedIndexes")
    if most is not None and lost > int(most):
        told = "Job has exceeded the specified maximal number of failed indexes"
        return Outcome("FailureTarget", "MaxFailedIndexesExceeded", told)
    if lost and lost + len(tally.completed) >= int(job["spec"].get("completions") or 0):
        return Outcome("FailureTarget", "FailedIndexes", "Job has failed indexes")
    return None


def _restarted_too_often(job: Object, active: list[Object], limit: int) -> bool:
    """With restartPolicy OnFailure the kubelet restarts containers, and those restarts count."""
    pod_spec = (job["spec"].get("template") or {}).get("spec") or {}
    if pod_spec.get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(c.get("restartCount") or 0)
        for pod in active
        for field in ("initContainerStatuses", "containerStatuses")
        for c in (pod.get("status") or {}).get(field) or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _success(job: Object, tally: Tally, active: list[Object]) -> Outcome | None:
    if is_indexed(job):
        rule = policy.success_rule(job, tally.completed)
        if rule is not None:
            told = f"Matched rules at index {rule}"
            return Outcome("SuccessCriteriaMet", "SuccessPolicy", told)
    completions = job["spec"].get("completions")
    if completions is None:
        done = tally.succeeded > 0 and not active
    else:
        done = tally.succeeded >= int(completions)
    if not done or job["spec"].get("suspend"):
        return None
    told = "Reached expected number of succeeded pods"
    return Outcome("SuccessCriteriaMet", "CompletionsReached", told)
