"""Jobs run no more Pods than they may and count each end once; CronJobs run each time once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.api import pods
from reconciler.api.objects import annotations_of, controller_of, is_deleting, name_of
from reconciler.controllers.job.outcome import is_over
from reconciler.controllers.job.tally import is_tracked

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object
    from reconciler.simulation.invariants.live import Live

_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
#: How long a CronJob's change may be unknown to its controller, in seconds.
_KNOWN = 15.0


class Runs:
    """Checks Jobs and CronJobs by what is written of them and their Pods."""

    def __init__(self, live: Live, broken: list[str], now: Callable[[], float]) -> None:
        self._live, self._broken, self._now = live, broken, now
        # Job uid → uids of Pods that succeeded; those of the second while they were being deleted already
        self._succeeded: dict[str, set[str]] = defaultdict(set)
        self._at_the_end: dict[str, set[str]] = defaultdict(set)
        self._ran: dict[tuple[str, str], str] = {}  # CronJob uid and its time → uid of the Job
        self._changed: dict[str, tuple[int, float]] = {}  # CronJob uid → generation, since when

    def check(self, kind: str, before: Object | None, after: Object | None) -> None:
        """Check one write of an object of this kind."""
        if after is None:
            return
        match kind:
            case "Pod":
                self._pod(before, after)
            case "Job" if before is None:
                self._job(after)
            case "CronJob":
                uid, generation = after["metadata"]["uid"], after["metadata"]["generation"]
                if self._changed.get(uid, (0, 0.0))[0] != generation:
                    self._changed[uid] = (generation, self._now())

    def _pod(self, before: Object | None, pod: Object) -> None:
        uid = (controller_of(pod) or {}).get("uid")
        job = next((j for j in self._live.of("batch", "Job") if j["metadata"]["uid"] == uid), None)
        if job is None or uid is None:
            return
        if pods.phase(pod) == "Succeeded" and is_tracked(pod):
            ends = self._at_the_end if is_deleting(pod) else self._succeeded
            ends[uid].add(pod["metadata"]["uid"])
        if before is not None:
            return
        if is_over(job):
            self._broken.append(
                f"Job {name_of(job)} is over, and Pod {name_of(pod)} was made for it"
            )
        active = sum(map(pods.is_active, self._live.pods_of(job)))
        parallelism = int(job["spec"].get("parallelism", 1))
        if active > parallelism:
            self._broken.append(f"Job {name_of(job)} has {active} Pods; {parallelism} may be")

    def _job(self, job: Object) -> None:
        owner = controller_of(job) or {}
        uid = str(owner.get("uid"))
        crons = self._live.of("batch", "CronJob")
        cron = next((c for c in crons if c["metadata"]["uid"] == uid), None)
        if cron is None:
            return
        time = annotations_of(job).get(_SCHEDULED, "")
        if self._ran.setdefault((uid, time), job["metadata"]["uid"]) != job["metadata"]["uid"]:
            self._broken.append(f"CronJob {name_of(cron)} ran twice for {time}")
        others = [
            j for j in self._live.owned("batch", "Job", uid) if not is_over(j) and j is not job
        ]
        known = self._now() - self._changed[uid][1] > _KNOWN
        if others and known and cron["spec"].get("concurrencyPolicy") == "Forbid":
            self._broken.append(f"CronJob {name_of(cron)} forbids it, and runs two Jobs at once")

    def miscounted(self) -> list[str]:
        """Return the Jobs whose status tells of other successes than there were; for a world at rest."""
        found = []
        for job in self._live.of("batch", "Job"):
            uid = job["metadata"]["uid"]
            told = int((job.get("status") or {}).get("succeeded") or 0)
            least = len(self._succeeded[uid])
            most = least + len(self._at_the_end[uid] - self._succeeded[uid])
            if not least <= told <= most and not any(
                is_tracked(p) for p in self._live.pods_of(job)
            ):
                found.append(f"Job {name_of(job)} tells of {told} successes; there were {least}")
        return found
