"""CronJobs: a Job at each time of a schedule (``cronjob-controller``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconciler.api import cron, kinds
from reconciler.api.client import Propagation
from reconciler.api.conditions import is_true
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
    controller_ref,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.clock import parse_rfc3339, rfc3339
from reconciler.controllers.job.outcome import is_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

#: More missed times than these are warned of: a clock has jumped, or something stood still for long.
TOO_MANY_MISSED = 100
#: A wait is no longer than this, in seconds: the machine's clock may jump, and machines sleep.
LONGEST_WAIT = 60.0
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController:
    """Plans CronJobs."""

    name = "cronjob-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.CRON_JOB, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.JOB, _cron_job_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one CronJob; cost follows the number of Jobs that it keeps."""
        owner = snapshot.get(kinds.CRON_JOB, key.namespace, key.name)
        if owner is None or is_deleting(owner):
            return NOTHING
        return _Plan(owner, snapshot, now).decide()


def _cron_job_of(job: Object, _: Snapshot) -> Iterator[Key]:
    ref = controller_of(job)
    if ref is not None and ref.get("kind") == "CronJob":
        yield Key("batch", "CronJob", namespace_of(job), str(ref["name"]))


class _Plan:
    """One planning of one CronJob."""

    def __init__(self, owner: Object, snapshot: Snapshot, now: float) -> None:
        self.owner, self.now = owner, now
        self.spec = owner["spec"]
        self.old = owner.get("status") or {}
        self.jobs = [
            job
            for job in snapshot.owned(kinds.JOB, uid_of(owner))
            if (controller_of(job) or {}).get("uid") == uid_of(owner)
        ]
        self.running = [job for job in self.jobs if not is_over(job)]
        self.status = self._status()
        self.events: list[Notice] = list(self._seen())
        self.requeue: float | None = None

    def decide(self) -> Decision:
        steps: list[Action] = [*self._start(), *self._forget()]
        if self.status != self.old:
            steps.append(
                UpdateStatus(
                    kinds.CRON_JOB, namespace_of(self.owner), name_of(self.owner), self.status,
                    uid=uid_of(self.owner),
                )
            )  # fmt: skip
        return Decision(tuple(steps), tuple(self.events), self.requeue, self._failed)

    def _failed(self, action: Action, error: Exception) -> Decision:
        if isinstance(action, Create):
            told = f"Error creating job: {error}"
            return Decision((), (Notice(self.owner, "Warning", "FailedCreate", told),))
        return NOTHING

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self.events.append(Notice(self.owner, type_, reason, message))

    def _status(self) -> dict[str, Any]:
        """Return what runs, and when one last succeeded."""
        active = [
            {
                "apiVersion": "batch/v1", "kind": "Job", "namespace": namespace_of(job),
                "name": name_of(job), "uid": uid_of(job),
                "resourceVersion": meta(job).get("resourceVersion", ""),
            }
            for job in self.running
        ]  # fmt: skip
        # A reference stands as it was made: it does not follow its Job's versions.
        before = {ref.get("uid"): ref for ref in self.old.get("active") or ()}
        active = [before.get(ref["uid"], ref) for ref in active]
        status = {k: v for k, v in self.old.items() if k != "active"}
        if active:
            status["active"] = active
        ends = [
            str(job["status"]["completionTime"])
            for job in self.jobs
            if is_true(job, "Complete") and job["status"].get("completionTime")
        ]
        last = max([*ends, str(self.old.get("lastSuccessfulTime") or "")], key=_seconds)
        if last:
            status["lastSuccessfulTime"] = last
        return status

    def _seen(self) -> Iterator[Notice]:
        over = {uid_of(job): job for job in self.jobs if is_over(job)}
        known = {uid_of(job) for job in self.jobs}
        for ref in self.old.get("active") or ():
            job = over.get(ref.get("uid"))
            if job is not None:
                how = "Complete" if is_true(job, "Complete") else "Failed"
                told = f"Saw completed job: {name_of(job)}, condition: {how}"
                yield Notice(self.owner, "Normal", "SawCompletedJob", told)
            elif ref.get("uid") not in known:
                told = f"Active job went missing: {ref.get('name')}"
                yield Notice(self.owner, "Normal", "MissingJob", told)

    # -- when ----------------------------------------------------------------------------------------------------

    def _schedule(self) -> cron.Schedule | None:
        try:
            cron.zone_of(self.spec.get("timeZone"))
        except ValueError as error:
            self._tell("Warning", "UnknownTimeZone", f"invalid timeZone: {error}")
            return None
        try:
            return cron.parse(str(self.spec.get("schedule")), self.spec.get("timeZone"))
        except ValueError as error:
            self._tell("Warning", "UnparseableSchedule", f"unparseable schedule: {error}")
            return None

    def _since(self) -> float:
        """Return after when a time counts as missed."""
        since = _seconds(self.old.get("lastScheduleTime") or meta(self.owner)["creationTimestamp"])
        deadline = self.spec.get("startingDeadlineSeconds")
        return since if deadline is None else max(since, self.now - float(deadline))

    def _due(self) -> float | None:
        """Return the newest time that is due; the older ones that were missed stay missed."""
        if self.spec.get("suspend"):
            return None
        schedule = self._schedule()
        if schedule is None:
            return None
        following = schedule.next(self.now)
        if following is not None:
            self.requeue = min(following - self.now, LONGEST_WAIT)
        since = self._since()
        due = schedule.latest(since, self.now)
        if due is not None and schedule.missed(since, self.now, TOO_MANY_MISSED + 1) > (
            TOO_MANY_MISSED
        ):
            self._tell(
                "Warning", "TooManyMissedTimes",
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
            )  # fmt: skip
        return due

    # -- what ----------------------------------------------------------------------------------------------------

    def _start(self) -> list[Action]:
        due = self._due()
        if due is None:
            return []
        name = f"{name_of(self.owner)}-{int(due) // 60}"
        if any(name_of(job) == name for job in self.jobs):
            # It was made before this could be written down.
            self.status["lastScheduleTime"] = rfc3339(due)
            return []
        steps: list[Action] = []
        policy = self.spec.get("concurrencyPolicy")
        if self.running and policy == "Forbid":
            self._tell(
                "Normal", "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is Forbid",
            )  # fmt: skip
            return []
        if policy == "Replace":
            steps += [self._delete(job) for job in self.running]
            self.status.pop("active", None)
        self.status["lastScheduleTime"] = rfc3339(due)
        made = Notice(self.owner, "Normal", "SuccessfulCreate", f"Created job {name}")
        return [*steps, Create(self._job(name, due), made)]

    def _job(self, name: str, due: float) -> Object:
        template = self.spec.get("jobTemplate") or {}
        about = template.get("metadata") or {}
        zone = cron.zone_of(self.spec.get("timeZone"))
        at = datetime.fromtimestamp(due, UTC).astimezone(zone).isoformat().replace("+00:00", "Z")
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": namespace_of(self.owner),
            "annotations": {**(about.get("annotations") or {}), _SCHEDULED: at},
            "ownerReferences": [controller_ref(self.owner)],
        }
        if about.get("labels"):
            metadata["labels"] = about["labels"]
        spec = template.get("spec") or {}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}

    def _delete(self, job: Object) -> Delete:
        self._tell("Normal", "SuccessfulDelete", f"Deleted job {name_of(job)}")
        return Delete(
            kinds.JOB, namespace_of(job), name_of(job), uid=uid_of(job),
            propagation=Propagation.BACKGROUND,
        )  # fmt: skip

    def _forget(self) -> list[Action]:
        """Delete the oldest Jobs that are over, beyond the limits of their kind."""
        steps: list[Action] = []
        for type_, field in (
            ("Complete", "successfulJobsHistoryLimit"),
            ("Failed", "failedJobsHistoryLimit"),
        ):
            limit = self.spec.get(field)
            if limit is None:
                continue
            over = [job for job in self.jobs if is_true(job, type_) and not is_deleting(job)]
            over.sort(key=lambda job: (_seconds(job["status"].get("startTime")), name_of(job)))
            steps += [self._delete(job) for job in over[: max(0, len(over) - int(limit))]]
        return steps


def _seconds(text: str | None) -> float:
    return parse_rfc3339(text) if text else 0.0
