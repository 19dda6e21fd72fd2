"""What is seen of one Pod besides its object: its sandboxes and containers, what probes say, what could not be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxState, SandboxStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.objects import Object

#: The fields of a Pod's spec that hold containers, and of its status that hold what became of them.
CONTAINER_FIELDS = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


class ProbeState(NamedTuple):
    """What the probes of one running container have found."""

    started: bool = True
    ready: bool = True
    failed: str = ""  # the probe that wants a restart: "liveness" or "startup"


class Failure(NamedTuple):
    """Why a container (or the sandbox) could not be started, and when to try again (seconds since the epoch).

    ``at`` is when it failed; ``backs_off_at``: from then on the wait itself is the reason, ``back_off`` its name (``ImagePullBackOff``).
    """

    reason: str
    message: str
    retry_at: float
    backs_off_at: float = float("inf")
    back_off: str = ""
    back_off_message: str = ""
    at: float = float("-inf")

    def waiting(self, now: float) -> dict[str, Any]:
        """Return the container state ``waiting``."""
        if now >= self.backs_off_at:
            return {"reason": self.back_off, "message": self.back_off_message}
        return {"reason": self.reason, "message": self.message}


class Observed(NamedTuple):
    """Everything outside the Pod object that the plan depends on."""

    sandboxes: tuple[SandboxStatus, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()
    probes: Mapping[str, ProbeState] = {}  # by container id
    stopping: Mapping[str, float] = {}  # by container id: when its grace ends
    failures: Mapping[str, Failure] = {}  # by container name; "" is the sandbox
    crashes: Mapping[str, int] = {}  # restarts in a row, by container name
    serving: bool = False  # a Service still sends new connections here
    hooks: frozenset[str] = frozenset()  # ids of containers whose postStart hook has not ended
    replaced: frozenset[str] = frozenset()  # ids of containers stopped because their image changed
    messages: Mapping[str, str] = {}  # by container id: what an ended container left to be told
    eviction: str = ""  # why the Pod must leave this node


def newest(containers: Iterable[ContainerStatus], name: str) -> ContainerStatus | None:
    """Return a container's latest attempt."""
    found: ContainerStatus | None = None
    for status in containers:
        if status.name == name and (found is None or status.attempt > found.attempt):
            found = status
    return found


def ready_sandbox(observed: Observed) -> SandboxStatus | None:
    """Return the sandbox that containers run in."""
    for sandbox in observed.sandboxes:
        if sandbox.state is SandboxState.READY:
            return sandbox
    return None


def running(observed: Observed) -> list[ContainerStatus]:
    return [c for c in observed.containers if c.state is ContainerState.RUNNING]


def initial_probe_state(container: Mapping[str, Any]) -> ProbeState:
    """Return what holds before the first probe (B03, B04): readiness has failed, startup is not known."""
    started = not container.get("startupProbe")
    return ProbeState(started, started and not container.get("readinessProbe"))


def all_containers(pod: Object) -> list[dict[str, Any]]:
    """Return the Pod's containers, then those that initialise it, then those that debug it."""
    spec = pod["spec"]
    return [c for field, _ in CONTAINER_FIELDS for c in spec.get(field) or ()]


def told_status(pod: Object, name: str) -> dict[str, Any]:
    """Return what the Pod's status tells of a container; empty where it tells nothing."""
    status = pod.get("status") or {}
    for _, field in CONTAINER_FIELDS:
        for one in status.get(field) or ():
            if one.get("name") == name:
                found: dict[str, Any] = one
                return found
    return {}
