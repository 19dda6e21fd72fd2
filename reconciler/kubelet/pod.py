"""What to do for one Pod now: its spec, what runs, and what probes say become actions. Pure.

Rules: initialisation in order with sidecars (P16 to P18, KEP-753), restart policy and CrashLoopBackOff (P02 to P10), a
changed image (P45), liveness and startup (B07, B09), termination (``termination``). The same observation always gives
the same plan, and when everything is as it should be the plan is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import is_deleting
from reconciler.clock import left_of
from reconciler.kubelet.actions import (
    Action,
    PodPlan,
    RemoveContainer,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from reconciler.kubelet.observed import (
    Failure,
    Observed,
    ProbeState,
    all_containers,
    initial_probe_state,
    newest,
    ready_sandbox,
    told_status,
)
from reconciler.kubelet.restarts import (
    deadline_in,
    deadline_passed,
    is_over,
    is_sidecar,
    restarts,
    wait_for,
)
from reconciler.kubelet.termination import terminate
from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxStatus

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def plan(pod: Object, observed: Observed, now: float) -> PodPlan:
    """Decide what to do for a Pod of this node."""
    if is_deleting(pod) or observed.eviction or is_over(pod, observed) or deadline_passed(pod, now):
        return terminate(pod, observed, now)
    sandbox = ready_sandbox(observed)
    if sandbox is None:
        return _new_sandbox(observed, now)
    planner = _Planner(pod, observed, sandbox, now)
    planner.run()
    wait = planner.wait
    left = deadline_in(pod, now)
    if left is not None:
        wait = min(wait, left)
    return PodPlan(tuple(planner.actions), wait if wait < float("inf") else None)


def _new_sandbox(observed: Observed, now: float) -> PodPlan:
    failure = observed.failures.get("")
    if failure is not None and failure.retry_at > now:
        return PodPlan(requeue_after=failure.retry_at - now)
    actions: list[Action] = [StopSandbox(s, remove=False) for s in observed.sandboxes]
    attempt = max((s.attempt for s in observed.sandboxes), default=-1) + 1
    return PodPlan((*actions, RunSandbox(attempt)))


class _Planner:
    """One look at a Pod that shall run."""

    def __init__(self, pod: Object, observed: Observed, sandbox: SandboxStatus, now: float) -> None:
        self.pod = pod
        self.spec = pod["spec"]
        self.observed = observed
        self.sandbox = sandbox
        self.now = now
        self.actions: list[Action] = []
        self.wait = float("inf")

    def run(self) -> None:
        self._debug()
        if self._initialise():
            for container in self.spec["containers"]:
                self._keep(container)
        self._forget_old()

    def _debug(self) -> None:
        """Start ephemeral containers, once each: they never start again."""
        for container in self.spec.get("ephemeralContainers") or ():
            status = newest(self.observed.containers, container["name"])
            begun = "containerID" in told_status(self.pod, container["name"])
            if (status is None and not begun) or (
                status is not None and status.state is ContainerState.CREATED
            ):
                self._start(container, 0)

    def _initialise(self) -> bool:
        """Run init containers in order; return whether all that must precede the Pod's containers is there."""
        names = [c["name"] for c in self.spec["containers"]]
        begun = any(
            s is not None and s.sandbox_id == self.sandbox.id
            for s in (newest(self.observed.containers, name) for name in names)
        )
        for container in self.spec.get("initContainers") or ():
            if is_sidecar(container):
                self._keep(container, init=True)
                if not begun and not self._is_started(container):
                    return False
            elif not begun and not self._ran(container):
                return False
        return True

    def _is_started(self, container: dict[str, Any]) -> bool:
        status = newest(self.observed.containers, container["name"])
        if status is None or status.state is not ContainerState.RUNNING:
            return False
        return status.id not in self.observed.hooks and self._probes(status, container).started

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
        self._keep(container, init=True)
        return False

    def _keep(self, container: dict[str, Any], *, init: bool = False) -> None:
        """Keep one container running as its restart policy asks."""
        status = newest(self.observed.containers, container["name"])
        if status is None:
            self._start(container, self._next_attempt(container))
        elif status.state is ContainerState.RUNNING:
            self._watch(container, status)
        elif status.state is ContainerState.CREATED:
            self._start(container, status.attempt)
        elif status.sandbox_id != self.sandbox.id:
            # The sandbox was replaced: begin again there, whatever the exit code.
            self._start(container, status.attempt + 1)
        elif status.id in self.observed.replaced or restarts(
            self.spec, container, status.exit_code, init=init
        ):
            self._restart(container, status)

    def _next_attempt(self, container: dict[str, Any]) -> int:
        """Return the number of the first start that the runtime knows of: counts only grow (P20)."""
        told = told_status(self.pod, container["name"])
        return int(told.get("restartCount") or 0) + 1 if told.get("containerID") else 0

    def _watch(self, container: dict[str, Any], status: ContainerStatus) -> None:
        """Stop a running container that its probes or its spec want replaced."""
        if status.id in self.observed.stopping:
            return
        failed = self._probes(status, container).failed
        grace = self.spec.get("terminationGracePeriodSeconds", 30)
        if failed:
            own = (container.get(f"{failed}Probe") or {}).get("terminationGracePeriodSeconds")
            why = f"Container {status.name} failed {failed} probe, will be restarted"
            self.actions.append(StopContainer(status, grace if own is None else own, why))
        elif container.get("image", "") != status.image:
            why = f"Container {status.name} definition changed, will be restarted"
            self.actions.append(StopContainer(status, grace, why, replace=True))

    def _restart(self, container: dict[str, Any], status: ContainerStatus) -> None:
        left = left_of(wait_for(self.observed, container, status), status.finished_at, self.now)
        if left > 0:
            self.wait = min(self.wait, left)
        else:
            self._start(container, status.attempt + 1)

    def _start(self, container: dict[str, Any], attempt: int) -> None:
        failure = self.observed.failures.get(container["name"])
        if failure is not None and failure.retry_at > self.now:
            self.wait = min(self.wait, _next_word(failure, self.now) - self.now)
        else:
            self.actions.append(StartContainer(self.sandbox, container, attempt))

    def _forget_old(self) -> None:
        """Keep of every container the newest attempt and the one before it (for ``logs --previous``)."""
        latest = {
            c["name"]: newest(self.observed.containers, c["name"]) for c in all_containers(self.pod)
        }
        for status in self.observed.containers:
            last = latest.get(status.name)
            if (
                last is not None
                and status.attempt < last.attempt - 1
                and status.state is ContainerState.EXITED
            ):
                self.actions.append(RemoveContainer(status))


def _next_word(failure: Failure, now: float) -> float:
    """Return when a failure is told in other words, or tried again."""
    return min(at for at in (failure.backs_off_at, failure.retry_at) if at > now)
