"""What to do for one Pod now: its spec, what runs, and what probes say become actions. Pure.

Rules: initialisation in order with sidecars (P10-P14, KEP-753), restart policy and CrashLoopBackOff (P20-P24),
liveness and startup (P40-P46), termination (P30-P36). The same observation always gives the same plan, and when
everything is as it should be the plan is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import is_deleting
from reconciler.clock import parse_rfc3339
from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxState, SandboxStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

#: CrashLoopBackOff, in seconds: first wait, longest wait, and how long a run must last to start over.
FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 300.0
BACKOFF_RESET = 600.0

#: How long a terminating Pod waits for load balancers to let go of it before it is told to end, in seconds.
LONGEST_DRAIN = 2.0


class ProbeState(NamedTuple):
    """What the probes of one running container have found."""

    started: bool = True
    ready: bool = True
    failed: str = ""  # the probe that wants a restart: "liveness" or "startup"


class Failure(NamedTuple):
    """Why a container (or the sandbox) could not be started, and when to try again."""

    reason: str
    message: str
    retry_at: float


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


class RunSandbox(NamedTuple):
    attempt: int


class StopSandbox(NamedTuple):
    sandbox: SandboxStatus
    remove: bool = False


class StartContainer(NamedTuple):
    """Create and start. ``sandbox_id`` is where."""

    sandbox: SandboxStatus
    spec: dict[str, Any]
    attempt: int
    init: bool = False


class StopContainer(NamedTuple):
    container: ContainerStatus
    grace_seconds: float
    reason: str  # for the Event
    pre_stop: bool = True


class RemoveContainer(NamedTuple):
    container: ContainerStatus


Action = RunSandbox | StopSandbox | StartContainer | StopContainer | RemoveContainer


class PodPlan(NamedTuple):
    """What to do, and when to look again (seconds). ``ended``: nothing of the Pod runs any more, and never will."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    ended: bool = False


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Whether an init container runs beside the others (KEP-753)."""
    return container.get("restartPolicy") == "Always"


def newest(containers: tuple[ContainerStatus, ...], name: str) -> ContainerStatus | None:
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


def backoff(crashes: int) -> float:
    """Return how long to wait after a container's n-th failure in a row, in seconds: 0, 10, 20, 40 … 300 (P22)."""
    if crashes <= 1:
        return 0.0
    return min(FIRST_BACKOFF * 2.0 ** (crashes - 2), LONGEST_BACKOFF)


def deadline_passed(pod: Object, now: float) -> bool:
    """Whether activeDeadlineSeconds is over (P36)."""
    limit = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    start = (pod.get("status") or {}).get("startTime")
    return limit is not None and start is not None and now >= parse_rfc3339(start) + limit


def plan(pod: Object, observed: Observed, now: float) -> PodPlan:
    """Decide what to do for a Pod of this node."""
    if is_deleting(pod) or deadline_passed(pod, now) or _is_over(pod, observed):
        return _terminate(pod, observed, now)
    sandbox = ready_sandbox(observed)
    if sandbox is None:
        return _new_sandbox(observed, now)
    planner = _Planner(pod, observed, sandbox, now)
    planner.run()
    wait = planner.wait
    limit = pod["spec"].get("activeDeadlineSeconds")
    start = (pod.get("status") or {}).get("startTime")
    if limit is not None and start is not None:
        wait = min(wait, parse_rfc3339(start) + limit - now)
    return PodPlan(tuple(planner.actions), wait if wait < float("inf") else None)


def _is_over(pod: Object, observed: Observed) -> bool:
    """Whether every container has ended for good (P05), or an init container failed for good."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    spec = pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    if policy == "Always":
        return False
    for container in spec.get("initContainers") or ():
        status = newest(observed.containers, container["name"])
        if is_sidecar(container) or status is None or status.state is not ContainerState.EXITED:
            continue
        if status.exit_code != 0 and policy == "Never":
            return True
    statuses = [newest(observed.containers, c["name"]) for c in spec["containers"]]
    return all(
        s is not None
        and s.state is ContainerState.EXITED
        and (policy == "Never" or s.exit_code == 0)
        for s in statuses
    )


def _new_sandbox(observed: Observed, now: float) -> PodPlan:
    failure = observed.failures.get("")
    if failure is not None and failure.retry_at > now:
        return PodPlan(requeue_after=failure.retry_at - now)
    actions: list[Action] = [StopSandbox(s, remove=False) for s in observed.sandboxes]
    attempt = max((s.attempt for s in observed.sandboxes), default=-1) + 1
    return PodPlan((*actions, RunSandbox(attempt)))


def _terminate(pod: Object, observed: Observed, now: float) -> PodPlan:
    """End what runs: containers first and together, sidecars after them, the sandbox last (P30-P34)."""
    meta, spec = pod["metadata"], pod["spec"]
    running = [c for c in observed.containers if c.state is ContainerState.RUNNING]
    if is_deleting(pod):
        deadline = parse_rfc3339(meta["deletionTimestamp"])
        asked = deadline - meta.get("deletionGracePeriodSeconds", 0)
        drain = asked + LONGEST_DRAIN - now
        if running and observed.serving and drain > 0 and deadline - now > LONGEST_DRAIN:
            return PodPlan(requeue_after=drain)
    else:
        grace = spec.get("terminationGracePeriodSeconds", 30)
        deadline = now + grace
    if running:
        sidecars = {c["name"] for c in spec.get("initContainers") or () if is_sidecar(c)}
        first = [c for c in running if c.name not in sidecars] or running
        stops = []
        for container in first:
            ends = observed.stopping.get(container.id)
            if ends is None or (is_deleting(pod) and ends > deadline + 1.0):
                left = max(deadline - now, 0.0)
                stops.append(StopContainer(container, left, f"Stopping container {container.name}"))
        return PodPlan(tuple(stops))
    ready = [s for s in observed.sandboxes if s.state is SandboxState.READY]
    if ready:
        return PodPlan(tuple(StopSandbox(s) for s in ready), ended=True)
    return PodPlan(ended=True)


class _Planner:
    """One look at a Pod that shall run."""

    def __init__(self, pod: Object, observed: Observed, sandbox: SandboxStatus, now: float) -> None:
        self.spec = pod["spec"]
        self.policy = self.spec.get("restartPolicy", "Always")
        self.observed = observed
        self.sandbox = sandbox
        self.now = now
        self.actions: list[Action] = []
        self.wait = float("inf")

    def run(self) -> None:
        if self._initialise():
            for container in self.spec["containers"]:
                self._keep(container, self.policy)
        self._forget_old()

    def _initialise(self) -> bool:
        """Run init containers in order; return whether all that must precede the Pod's containers is there."""
        names = [c["name"] for c in self.spec["containers"]]
        begun = any(
            s is not None and s.sandbox_id == self.sandbox.id
            for s in (newest(self.observed.containers, name) for name in names)
        )
        for container in self.spec.get("initContainers") or ():
            if is_sidecar(container):
                self._keep(container, "Always", init=True)
                if not begun and not self._is_started(container):
                    return False
            elif not begun and not self._ran(container):
                return False
        return True

    def _is_started(self, container: dict[str, Any]) -> bool:
        status = newest(self.observed.containers, container["name"])
        if status is None or status.state is not ContainerState.RUNNING:
            return False
        return self._probes(status, container).started

    def _probes(self, status: ContainerStatus, container: dict[str, Any]) -> ProbeState:
        return self.observed.probes.get(status.id) or initial_probe_state(container)

    def _ran(self, container: dict[str, Any]) -> bool:
        """Whether an init container has succeeded in this sandbox; start it where it has not run."""
        status = newest(self.observed.containers, container["name"])
        if status is not None and status.sandbox_id == self.sandbox.id:
            if status.state is ContainerState.EXITED and status.exit_code == 0:
                return True
            if status.state is ContainerState.RUNNING:
                return False
        self._keep(container, "OnFailure" if self.policy == "Always" else self.policy, init=True)
        return False

    def _keep(self, container: dict[str, Any], policy: str, *, init: bool = False) -> None:
        """Keep one container running as its restart policy asks."""
        status = newest(self.observed.containers, container["name"])
        if status is None:
            self._start(container, 0, init=init)
        elif status.state is ContainerState.RUNNING:
            probes = self._probes(status, container)
            if probes.failed and status.id not in self.observed.stopping:
                self.actions.append(self._kill(container, status, probes.failed))
        elif status.state is ContainerState.CREATED:
            self._start(container, status.attempt, init=init)
        elif status.sandbox_id != self.sandbox.id:
            # The sandbox was replaced: begin again there, whatever the exit code (P15).
            self._start(container, status.attempt + 1, init=init)
        elif policy == "Always" or (policy == "OnFailure" and status.exit_code != 0):
            self._restart(container, status, init=init)

    def _kill(
        self, container: dict[str, Any], status: ContainerStatus, probe: str
    ) -> StopContainer:
        grace = (container.get(f"{probe}Probe") or {}).get("terminationGracePeriodSeconds")
        if grace is None:
            grace = self.spec.get("terminationGracePeriodSeconds", 30)
        why = f"Container {status.name} failed {probe} probe, will be restarted"
        return StopContainer(status, grace, why)

    def _restart(self, container: dict[str, Any], status: ContainerStatus, *, init: bool) -> None:
        crashes = self.observed.crashes.get(status.name, status.attempt + 1)
        due = status.finished_at + backoff(crashes)
        if due > self.now:
            self.wait = min(self.wait, due - self.now)
        else:
            self._start(container, status.attempt + 1, init=init)

    def _start(self, container: dict[str, Any], attempt: int, *, init: bool) -> None:
        failure = self.observed.failures.get(container["name"])
        if failure is not None and failure.retry_at > self.now:
            self.wait = min(self.wait, failure.retry_at - self.now)
        else:
            self.actions.append(StartContainer(self.sandbox, container, attempt, init))

    def _forget_old(self) -> None:
        """Keep of every container the newest attempt and the one before it (for ``logs --previous``)."""
        latest = {
            c["name"]: newest(self.observed.containers, c["name"])
            for c in [*self.spec["containers"], *(self.spec.get("initContainers") or ())]
        }
        for status in self.observed.containers:
            last = latest.get(status.name)
            if (
                last is not None
                and status.attempt < last.attempt - 1
                and status.state is ContainerState.EXITED
            ):
                self.actions.append(RemoveContainer(status))


def initial_probe_state(container: dict[str, Any]) -> ProbeState:
    """Return what holds before the first probe: started without a startup probe, ready without a readiness probe."""
    started = not container.get("startupProbe")
    return ProbeState(started, started and not container.get("readinessProbe"))
