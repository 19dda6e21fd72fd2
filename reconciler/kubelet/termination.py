"""How a Pod ends: its containers together, its sidecars after them in reverse order, its sandbox last. Pure (P18, D02 to D07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import is_deleting
from reconciler.clock import left_of, parse_rfc3339
from reconciler.kubelet.actions import PodPlan, StopContainer, StopSandbox
from reconciler.kubelet.observed import Observed, running
from reconciler.kubelet.restarts import is_sidecar
from reconciler.runtime.cri import SandboxState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

#: How long a terminating Pod waits for load balancers to let go of it before it is told to end, in seconds.
LONGEST_DRAIN = 2.0
#: What is evicted has so long to end, in seconds.
EVICTION_GRACE = 1.0


def terminate(pod: Object, observed: Observed, now: float) -> PodPlan:
    """Decide how to go on with ending a Pod."""
    spec, alive = pod["spec"], running(observed)
    if is_deleting(pod):
        meta = pod["metadata"]
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        asked = parse_rfc3339(meta["deletionTimestamp"]) - grace
        drain = left_of(LONGEST_DRAIN, asked, now)
        deadline = (
            min(asked, now) + grace
        )  # asked for in what is the future, where the clock was set back
        if alive and observed.serving and drain > 0 and deadline - now > LONGEST_DRAIN:
            return PodPlan(requeue_after=drain, ending=True)
    elif observed.eviction:
        deadline = now + EVICTION_GRACE
    else:
        deadline = now + spec.get("terminationGracePeriodSeconds", 30)
    if not alive:
        ready = [s for s in observed.sandboxes if s.state is SandboxState.READY]
        return PodPlan(tuple(StopSandbox(s) for s in ready), ending=True, ended=True)
    later = _later(spec)
    stops = []
    for container in alive:
        ends = observed.stopping.get(container.id)
        # A second request may have shortened the grace (D05).
        if ends is None or (is_deleting(pod) and ends > deadline + 1.0):
            left, why = max(deadline - now, 0.0), f"Stopping container {container.name}"
            after = later.get(container.name, frozenset())
            stops.append(StopContainer(container, left, why, after))
    return PodPlan(tuple(stops), ending=True)


def _later(spec: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return, for every sidecar, which containers must have ended before it: all others, and the sidecars after it."""
    gone = {c["name"] for f in ("containers", "ephemeralContainers") for c in spec.get(f) or ()}
    found = {}
    for container in reversed(spec.get("initContainers") or ()):
        if is_sidecar(container):
            found[container["name"]] = frozenset(gone)
            gone.add(container["name"])
    return found
