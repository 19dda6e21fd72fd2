"""Whether a container that has ended is started again, and after which wait. Pure (P02 to P10).

The rules are those of ``ContainerShouldRestart``: the container's own rules by exit code, then its own policy, then
the Pod's (KEP-5307).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.clock import parse_rfc3339
from reconciler.kubelet.observed import Observed, newest
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerStatus

#: CrashLoopBackOff, in seconds: first wait, longest wait, and how long a run must last to start over (P03, P05).
FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 300.0
BACKOFF_RESET = 600.0


def backoff(crashes: int) -> float:
    """Return how long to wait after a container's n-th end in a row, in seconds: 0, 10, 20, 40 … 300 (P02, P03)."""
    if crashes <= 1:
        return 0.0
    return min(FIRST_BACKOFF * 2.0 ** (min(crashes, 50) - 2), LONGEST_BACKOFF)


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Whether an init container runs beside the others (KEP-753)."""
    return container.get("restartPolicy") == "Always"


def restarts(
    spec: Mapping[str, Any], container: Mapping[str, Any], exit_code: int, *, init: bool = False
) -> bool:
    """Whether a container that ended with this code is started again (P07 to P10).

    ``init``: it initialises the Pod, so that success ends it for good.
    """
    if init and exit_code == 0 and not is_sidecar(container):
        return False
    if container.get("restartPolicy"):
        if any(_matches(r, exit_code) for r in container.get("restartPolicyRules") or ()):
            return True
        policy = container["restartPolicy"]
    else:
        policy = spec.get("restartPolicy", "Always")
    return bool(policy == "Always" or (policy == "OnFailure" and exit_code != 0))


def _matches(rule: Mapping[str, Any], exit_code: int) -> bool:
    codes = rule.get("exitCodes") or {}
    listed = exit_code in (codes.get("values") or ())
    inside = listed if codes.get("operator") == "In" else not listed
    return inside and rule.get("action") == "Restart"


def wait_for(observed: Observed, container: Mapping[str, Any], status: ContainerStatus) -> float:
    """Return the wait between a container's end and its next start, in seconds; a changed image starts over (P06)."""
    if container.get("image", "") != status.image:
        return 0.0
    return backoff(observed.crashes.get(status.name, status.attempt + 1))


def is_over(pod: Object, observed: Observed) -> bool:
    """Whether every container has ended for good (P14, P15), or one that initialises the Pod has failed so (P16)."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    spec = pod["spec"]
    if init_failed(spec, observed):
        return True
    statuses = [(c, newest(observed.containers, c["name"])) for c in spec["containers"]]
    return all(
        s is not None
        and s.state is ContainerState.EXITED
        and s.id not in observed.replaced
        and not restarts(spec, c, s.exit_code)
        for c, s in statuses
    )


def init_failed(spec: Mapping[str, Any], observed: Observed) -> bool:
    """Whether a container that initialises the Pod has failed and is not tried again."""
    for container in spec.get("initContainers") or ():
        status = newest(observed.containers, container["name"])
        if is_sidecar(container) or status is None or status.state is not ContainerState.EXITED:
            continue
        if status.exit_code != 0 and not restarts(spec, container, status.exit_code, init=True):
            return True
    return False


def deadline_passed(pod: Object, now: float) -> bool:
    """Whether activeDeadlineSeconds is over (P19)."""
    left = deadline_in(pod, now)
    return left is not None and left <= 0


def cut_by_deadline(pod: Object, observed: Observed, now: float) -> bool:
    """Whether activeDeadlineSeconds ended the Pod: some container had not ended by itself before."""
    left = deadline_in(pod, now)
    if left is None or left > 0:
        return False
    lasts = [newest(observed.containers, c["name"]) for c in pod["spec"]["containers"]]
    return any(s is None or s.finished_at >= now + left for s in lasts)


def deadline_in(pod: Object, now: float) -> float | None:
    """Return in how many seconds activeDeadlineSeconds is over; None where there is none."""
    limit = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    start = (pod.get("status") or {}).get("startTime")
    return None if limit is None or start is None else parse_rfc3339(start) + limit - now
