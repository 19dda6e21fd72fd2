"""Jobs that are over are deleted after their ``ttlSecondsAfterFinished`` (``ttl-after-finished-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.client import Propagation
from reconciler.api.conditions import find
from reconciler.api.decision import NOTHING, Decision, Delete, Watch
from reconciler.api.objects import Key, is_deleting, uid_of
from reconciler.clock import parse_rfc3339
from reconciler.controllers.job.outcome import is_over

if TYPE_CHECKING:
    from reconciler.api.decision import Snapshot


class TimeToLiveController:
    """Plans the end of Jobs that are over."""

    name = "ttl-after-finished-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(kinds.JOB, lambda obj, _: (Key.of(obj),)),)

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Delete one Job with its Pods once its time is up."""
        job = snapshot.get(kinds.JOB, key.namespace, key.name)
        if job is None or is_deleting(job) or not is_over(job):
            return NOTHING
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return NOTHING
        conditions = job["status"]["conditions"]
        end = next(
            parse_rfc3339(c["lastTransitionTime"])
            for c in (find(conditions, "Complete"), find(conditions, "Failed"))
            if c is not None and c.get("status") == "True"
        )
        left = end + float(ttl) - now
        if left > 0:
            return Decision(requeue_after=left)
        delete = Delete(
            kinds.JOB, key.namespace, key.name, uid_of(job), propagation=Propagation.FOREGROUND
        )
        return Decision((delete,))
