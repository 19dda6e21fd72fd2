"""What a Pod's status still promises though nothing of it runs: after a reboot, or after a restore elsewhere. Pure.

A node that goes down has its Pods marked as not ready by the node lifecycle controller, so that nobody counts on them
until its kubelet is back. Here node and control plane go down together: the kubelet does it before anything else looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.pods import is_ready, with_condition
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.api.objects import Object

_PROMISES = ("ContainersReady", "Ready")


def without_promises(pod: Object, running: Collection[str], now: float) -> dict[str, Any] | None:
    """Return the status of a ready Pod that is not ready any more; None where it holds.

    ``running`` names the containers of this Pod that run. ``now`` is in seconds since the epoch.
    """
    if not is_ready(pod):
        return None
    lost = [c["name"] for c in pod["spec"]["containers"] if c["name"] not in running]
    if not lost:
        return None
    status: dict[str, Any] = dict(pod["status"])
    conditions = list(status.get("conditions") or ())
    for kind in _PROMISES:
        conditions = with_condition(
            conditions,
            {
                "type": kind, "status": "False", "lastTransitionTime": rfc3339(now),
                "reason": "ContainersNotReady",
                "message": f"containers with unready status: [{' '.join(lost)}]",
            },
        )  # fmt: skip
    status["conditions"] = conditions
    status["containerStatuses"] = [
        {**c, "ready": False, "started": False} if c["name"] in lost else c
        for c in status.get("containerStatuses") or ()
    ]
    return status
