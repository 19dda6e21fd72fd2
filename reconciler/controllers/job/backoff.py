"""How long a Job waits before it makes another Pod in place of a failed one, in seconds.

10 s after the first failure in a row, twice as long after each further one, 10 minutes at most; a success starts
over. Worked out from the Pods themselves, so that a restart of the daemon forgets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import annotations_of
from reconciler.api.pods import condition, phase
from reconciler.clock import left_of, parse_rfc3339
from reconciler.controllers.job import policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

FIRST, LONGEST = 10.0, 600.0
#: How often an index failed before this Pod: what counts, and what the podFailurePolicy ignores.
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


def wait(failures: int) -> float:
    """Return the wait after so many failures in a row."""
    return min(FIRST * 2.0 ** min(failures - 1, 16), LONGEST) if failures else 0.0


def remaining(succeeded: Iterable[Object], failed: Iterable[Object], now: float) -> float:
    """Return how long a Job still waits, given all its ended Pods."""
    last_success = max((finished_at(pod) for pod in succeeded), default=0.0)
    # Times are cut to seconds: of two in one second, the failure is taken to be the later one.
    ends = [at for pod in failed if (at := finished_at(pod)) >= last_success]
    return left_of(wait(len(ends)), max(ends), now) if ends else 0.0


def remaining_of_index(last: Object, now: float) -> float:
    """Return how long an index still waits, given its last failed Pod."""
    failures = count(last, FAILURES) + count(last, IGNORED) + 1
    return left_of(wait(failures), finished_at(last), now)


def count(pod: Object, annotation: str) -> int:
    text = annotations_of(pod).get(annotation, "")
    return int(text) if text.isdigit() else 0


def next_counts(job: Object, last: Object | None) -> dict[str, str]:
    """Return the annotations that tell a new Pod of an index how often that index has failed."""
    if last is None:
        return {FAILURES: "0"}
    ignored = policy.on_failure(job, last).action == policy.IGNORE
    failures, passed = count(last, FAILURES), count(last, IGNORED)
    found = {FAILURES: str(failures + (not ignored))}
    if passed or ignored:
        found[IGNORED] = str(passed + ignored)
    return found


def finished_at(pod: Object) -> float:
    """Return when a Pod ended: its last container, else its Ready condition, deletion or creation."""
    status: dict[str, Any] = pod.get("status") or {}
    ends = [
        ((c.get("state") or {}).get("terminated") or {}).get("finishedAt")
        for c in status.get("containerStatuses") or ()
    ]
    if any(ends):
        return max(parse_rfc3339(end) for end in ends if end)
    ready = condition(pod, "Ready") or {}
    if phase(pod) in ("Failed", "Succeeded") and ready.get("lastTransitionTime"):
        return parse_rfc3339(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        return parse_rfc3339(meta["deletionTimestamp"]) - grace
    created = meta.get("creationTimestamp")
    return parse_rfc3339(created) if created else 0.0
