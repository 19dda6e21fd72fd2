"""One Pod's worker: look, plan, act, write the status; again whenever something may have changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import structlog

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions
from reconciler.api.decision import Notice
from reconciler.api.objects import Object, is_deleting, uid_of
from reconciler.errors import ApiError, Conflict, NotFound, ReconcilerError, RuntimeFailure
from reconciler.kubelet import environment, fields, probes, sandbox
from reconciler.kubelet import pod as pod_plan
from reconciler.kubelet.hooks import run_hook
from reconciler.kubelet.status import pod_status
from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from reconciler.api.client import Client
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.kubelet.measures import KubeletMeasures
    from reconciler.kubelet.volumes import Volumes
    from reconciler.runtime.cri import Runtime, SandboxStatus

log = structlog.get_logger(__name__)

#: Wait before a failed start is tried again, in seconds: first, and longest.
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
#: However long its preStop hook and its clients took, a container has so long to end by itself, in seconds (D07).
LEAST_GRACE = 2.0


class Drain(Protocol):
    """Waits until nothing that proxies have sent to a Pod's address is under way, for some seconds at most."""

    def __call__(self, address: str, seconds: float, /) -> Awaitable[None]: ...


class Node(NamedTuple):
    """What every worker of a node shares. ``drain``: where proxies can say what is under way."""

    client: Client
    cache: InformerCache
    runtime: Runtime
    volumes: Volumes
    prober: probes.Prober
    recorder: Recorder
    clock: Clock
    entropy: Entropy
    dns: sandbox.ClusterDNS
    name: str
    host_ip: str
    measures: KubeletMeasures
    cpu: int = 0
    memory: int = 0
    drain: Drain | None = None


class PodWorker:
    """Keeps one Pod (one uid) as its object says, until it is gone."""

    def __init__(self, node: Node, pod: Object) -> None:
        self._node = node
        self._pod = pod
        self.uid = uid_of(pod)
        self._wake = asyncio.Event()
        self._wake.set()
        self._timer: asyncio.TimerHandle | None = None
        self._failures: dict[str, pod_plan.Failure] = {}
        self._tries: dict[str, int] = {}
        self._crashes: dict[str, tuple[int, int]] = {}
        self._stopping: dict[str, float] = {}
        self._hooks: set[str] = set()
        self._probes: dict[str, tuple[probes.ContainerProbes, asyncio.Task[None]]] = {}
        self._containers: tuple[ContainerStatus, ...] = ()
        self._tasks: asyncio.TaskGroup | None = None

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

    def containers(self) -> tuple[ContainerStatus, ...]:
        """Return what was seen last."""
        return self._containers

    async def run(self) -> None:
        """Work until the Pod is gone."""
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = group
                while not await self._turn():
                    await self._wake.wait()
                for _, task in self._probes.values():
                    task.cancel()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _turn(self) -> bool:
        """Look and act once; returns whether the Pod is gone."""
        self._wake.clear()
        pod = self._current()
        if pod is None:
            await self._clean_up()
            return True
        self._pod = pod
        try:
            return await self._reconcile(pod)
        except ReconcilerError as error:
            log.warning("pod cannot be synced", pod=self._where(), error=str(error))
            self._later(FIRST_RETRY)
        except Exception:
            # One Pod's trouble must not end the others' workers.
            log.exception("pod worker failed", pod=self._where())
            self._later(5.0)
        return False

    def _current(self) -> Object | None:
        meta = self._pod["metadata"]
        pod = self._node.cache.snapshot.get(kinds.POD, meta["namespace"], meta["name"])
        return pod if pod is not None and uid_of(pod) == self.uid else None

    async def _reconcile(self, pod: Object) -> bool:
        now = self._node.clock.now()
        observed = await self._observe(pod, now)
        plan = pod_plan.plan(pod, observed, now)
        for action in plan.actions:
            await self._perform(pod, action)
        if plan.actions:
            observed = await self._observe(pod, now)
        self._keep_probes(pod, observed)
        status = pod_status(
            pod, observed, now, host_ip=self._node.host_ip,
            runtime=self._node.runtime.name, over=plan.ended,
        )  # fmt: skip
        await self._write(pod, status)
        if plan.ended and is_deleting(pod):
            await self._finish(pod)
            return True
        starts = any(
            isinstance(a, (pod_plan.RunSandbox, pod_plan.StartContainer)) for a in plan.actions
        )
        if starts:
            self.wake()
        elif plan.requeue_after is not None:
            self._later(plan.requeue_after)
        return False

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.01), self.wake)

    def _where(self) -> str:
        meta = self._pod["metadata"]
        return f"{meta['namespace']}/{meta['name']}"

    # -- looking -------------------------------------------------------------------------------------------------

    async def _observe(self, pod: Object, now: float) -> pod_plan.Observed:
        runtime = self._node.runtime
        containers = tuple(await runtime.containers(self.uid))
        self._containers = containers
        self._count_crashes(containers)
        running = {c.id for c in containers if c.state is ContainerState.RUNNING}
        self._stopping = {i: t for i, t in self._stopping.items() if i in running}
        self._failures = {n: f for n, f in self._failures.items() if f.retry_at > now}
        return pod_plan.Observed(
            sandboxes=tuple(await runtime.pods(self.uid)),
            containers=containers,
            probes={**_told(pod), **{i: p.state for i, (p, _) in self._probes.items()}},
            stopping=dict(self._stopping),
            failures=dict(self._failures),
            crashes={n: count for n, (_, count) in self._crashes.items()},
            serving=is_deleting(pod) and self._is_serving(pod),
            hooks=frozenset(self._hooks),
        )

    def _count_crashes(self, containers: tuple[ContainerStatus, ...]) -> None:
        for name in {c.name for c in containers}:
            last = pod_plan.newest(containers, name)
            if last is None or last.state is not ContainerState.EXITED:
                continue
            attempt, count = self._crashes.get(name, (-1, min(last.attempt, 5)))
            if last.attempt > attempt:
                long = last.finished_at - last.started_at >= pod_plan.BACKOFF_RESET
                self._crashes[name] = (last.attempt, 1 if long else count + 1)

    def _is_serving(self, pod: Object) -> bool:
        """Whether an EndpointSlice still tells proxies to send new connections here."""
        for piece in self._node.cache.snapshot.list(
            kinds.ENDPOINT_SLICE, pod["metadata"]["namespace"]
        ):
            for endpoint in piece.get("endpoints") or ():
                if (endpoint.get("targetRef") or {}).get("uid") == self.uid:
                    conditions = endpoint.get("conditions") or {}
                    return bool(conditions.get("ready"))
        return False

    def _values(self, ip: str = "") -> fields.PodValues:
        ip = ip or (self._pod.get("status") or {}).get("podIP", "")
        return fields.PodValues(ip, self._node.host_ip, self._node.cpu, self._node.memory)

    # -- acting --------------------------------------------------------------------------------------------------

    async def _perform(self, pod: Object, action: pod_plan.Action) -> None:
        match action:
            case pod_plan.RunSandbox(attempt):
                await self._run_sandbox(pod, attempt)
            case pod_plan.StopSandbox(box, remove):
                await self._node.runtime.stop_pod_sandbox(box.id)
                if remove:
                    await self._node.runtime.remove_pod_sandbox(box.id)
            case pod_plan.StartContainer():
                await self._start(pod, action)
            case pod_plan.StopContainer(container, grace):
                self._stopping[container.id] = self._node.clock.now() + grace
                self._event(pod, "Normal", "Killing", action.reason)
                self._spawn(self._stop(pod, action))
            case pod_plan.RemoveContainer(container):
                await self._node.runtime.remove_container(container.id)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        assert self._tasks is not None  # noqa: S101 - actions are performed inside run()
        task: asyncio.Task[None] = self._tasks.create_task(work)
        return task

    async def _run_sandbox(self, pod: Object, attempt: int) -> None:
        logs = self._node.volumes.pod_directory(self.uid) / "logs"
        try:
            config = sandbox.sandbox_config(pod, attempt, self._node.dns, logs)
            await self._node.runtime.run_pod_sandbox(config)
        except RuntimeFailure as error:
            self._failed(pod, "", error, "FailedCreatePodSandBox")

    async def _start(self, pod: Object, action: pod_plan.StartContainer) -> None:
        name = action.spec["name"]
        try:
            container_id = await self._create(pod, action)
            await self._node.runtime.start_container(container_id)
        except RuntimeFailure as error:
            self._failed(pod, name, error, "Failed")
            return
        self._tries.pop(name, None)
        if action.attempt:
            self._node.measures.restarted(pod)
        self._event(pod, "Normal", "Started", "Container started", name)
        post_start = (action.spec.get("lifecycle") or {}).get("postStart")
        if post_start:
            self._hooks.add(container_id)
            self._spawn(self._post_start(pod, action, container_id, post_start))

    async def _create(self, pod: Object, action: pod_plan.StartContainer) -> str:
        """Prepare everything that a container needs, and create it."""
        node, spec = self._node, action.spec
        values = self._values(action.sandbox.ip)
        paths = node.volumes.set_up(pod, values)
        await node.runtime.ensure_image(
            spec.get("image", ""),
            spec.get("imagePullPolicy", "IfNotPresent"),
            needs_command=not spec.get("command"),
        )
        env = environment.resolve(pod, spec, node.cache.snapshot, values)
        config = sandbox.container_config(pod, spec, action.attempt, env, paths)
        container_id = await node.runtime.create_container(action.sandbox.id, config)
        self._event(pod, "Normal", "Created", f"Container created: {spec['name']}", spec["name"])
        return container_id

    def _failed(self, pod: Object, name: str, error: RuntimeFailure, event: str) -> None:
        tries = self._tries.get(name, 0)
        self._tries[name] = tries + 1
        wait = min(FIRST_RETRY * 2.0 ** min(tries, 10), LONGEST_RETRY)
        now = self._node.clock.now()
        reason = error.reason
        if reason == "FailedMount":
            event, reason = "FailedMount", "ContainerCreating"
        elif reason in ("RuntimeFailure", "StartError"):
            reason = "RunContainerError" if name else "ContainerCreating"
        self._failures[name] = pod_plan.Failure(reason, str(error), now + wait)
        self._event(pod, "Warning", event, str(error), name)

    async def _post_start(
        self,
        pod: Object,
        action: pod_plan.StartContainer,
        container_id: str,
        hook: dict[str, Any],
    ) -> None:
        try:
            await run_hook(
                hook,
                self._node.prober,
                self._target(pod, action.spec, container_id, action.sandbox.ip),
            )
        except RuntimeFailure as error:
            self._event(pod, "Warning", "FailedPostStartHook", str(error), action.spec["name"])
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            await self._node.runtime.stop_container(container_id, grace)
        finally:
            self._hooks.discard(container_id)
            self.wake()

    async def _stop(self, pod: Object, action: pod_plan.StopContainer) -> None:
        container = action.container
        named = [c for c in _all_containers(pod) if c["name"] == container.name]
        spec = named[0] if named else {}
        hook = (spec.get("lifecycle") or {}).get("preStop")
        left = action.grace_seconds
        started = self._node.clock.monotonic()
        if left > 0:
            async with asyncio.TaskGroup() as before:
                if hook:
                    before.create_task(self._pre_stop(pod, spec, container.id, hook, left))
                if is_deleting(pod):
                    before.create_task(self._drain(left - LEAST_GRACE))
            least = LEAST_GRACE if hook else min(left, LEAST_GRACE)
            left = max(left - (self._node.clock.monotonic() - started), least)
        try:
            await self._node.runtime.stop_container(container.id, left)
        except RuntimeFailure as error:
            log.warning("container cannot be stopped", pod=self._where(), error=str(error))
            self._stopping.pop(container.id, None)
        self.wake()

    async def _pre_stop(
        self,
        pod: Object,
        spec: dict[str, Any],
        container_id: str,
        hook: dict[str, Any],
        left: float,
    ) -> None:
        target = self._target(pod, spec, container_id, self._values().pod_ip)
        try:
            async with asyncio.timeout(left):
                await run_hook(hook, self._node.prober, target, self._node.clock)
        except (TimeoutError, RuntimeFailure) as error:
            told = str(error) or "timed out"
            self._event(pod, "Warning", "FailedPreStopHook", told, spec["name"])

    async def _drain(self, seconds: float) -> None:
        """Let what is under way to this Pod end before it hears of its own end."""
        address = self._values().pod_ip
        if self._node.drain is not None and address and seconds > 0:
            await self._node.drain(address, seconds)

    # -- probes --------------------------------------------------------------------------------------------------

    def _target(
        self, pod: Object, spec: Mapping[str, Any], container_id: str, ip: str
    ) -> probes.Target:
        ports = {p["name"]: p["containerPort"] for p in spec.get("ports") or () if p.get("name")}
        return probes.Target(container_id, ip, ports, bool(pod["spec"].get("hostNetwork")))

    def _keep_probes(self, pod: Object, observed: pod_plan.Observed) -> None:
        """Let probes run exactly for the containers that run."""
        running = {c.id: c for c in observed.containers if c.state is ContainerState.RUNNING}
        over = is_deleting(pod)
        for container_id in [i for i in self._probes if i not in running or over]:
            self._probes[container_id][1].cancel()
            if container_id not in running:
                del self._probes[container_id]
        if over:
            return
        box = pod_plan.ready_sandbox(observed)
        for spec in _all_containers(pod):
            status = pod_plan.newest(observed.containers, spec["name"])
            if status is None or status.id not in running or status.id in self._probes:
                continue
            if box is not None and probes.ContainerProbes.needed(spec):
                self._start_probes(pod, spec, status, box)

    def _start_probes(
        self, pod: Object, spec: dict[str, Any], status: ContainerStatus, box: SandboxStatus
    ) -> None:
        def failed(kind: str, message: str) -> None:
            self._event(
                pod, "Warning", "Unhealthy", f"{kind} probe failed: {message}", spec["name"]
            )

        container = probes.ContainerProbes(
            spec, self._target(pod, spec, status.id, box.ip), self._node.prober,
            clock=self._node.clock, entropy=self._node.entropy, changed=self.wake, failed=failed,
            probed=lambda kind, ok: self._node.measures.probed(kind, ok=ok),
            known=_told(pod).get(status.id),
        )  # fmt: skip
        self._probes[status.id] = (container, self._spawn(container.run()))

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write(self, pod: Object, status: dict[str, Any]) -> None:
        if pod.get("status") == status:
            return
        meta = pod["metadata"]
        try:
            current = await self._node.client.get(kinds.POD, meta["name"], meta["namespace"])
            if uid_of(current) != self.uid:
                return
            if current is not pod:
                status = _with_foreign_conditions(status, current)
            written = await self._node.client.update(
                {**current, "status": status}, subresource="status", field_manager="kubelet"
            )
        except NotFound:
            self.wake()
            return
        except Conflict:
            self._later(0.05)
            return
        revision = int(written["metadata"].get("resourceVersion") or 0)
        await self._node.cache.reached(kinds.POD, revision)

    def _event(
        self, pod: Object, kind: str, reason: str, message: str, container: str = ""
    ) -> None:
        regarding = pod
        if container:
            regarding = {**pod, "fieldPath": f"spec.containers{{{container}}}"}
        self._node.recorder.record(Notice(regarding, kind, reason, message))

    # -- the end -------------------------------------------------------------------------------------------------

    async def _finish(self, pod: Object) -> None:
        """Nothing runs any more: forget it here, then let the object go (P35)."""
        await self._forget()
        meta = pod["metadata"]
        options = DeleteOptions(grace_seconds=0, uid=self.uid)
        try:
            await self._node.client.delete(kinds.POD, meta["name"], meta["namespace"], options)
        except (NotFound, Conflict):
            pass
        except ApiError as error:
            log.warning("pod cannot be deleted", pod=self._where(), error=str(error))
            raise

    async def _forget(self) -> None:
        for box in await self._node.runtime.pods(self.uid):
            await self._node.runtime.remove_pod_sandbox(box.id)
        self._node.volumes.tear_down(self.uid)

    async def _clean_up(self) -> None:
        """The object went away without us (a forced deletion): end what runs at once."""
        try:
            for container in await self._node.runtime.containers(self.uid):
                if container.state is ContainerState.RUNNING:
                    await self._node.runtime.stop_container(container.id, 0)
            for box in await self._node.runtime.pods(self.uid):
                if box.state is SandboxState.READY:
                    await self._node.runtime.stop_pod_sandbox(box.id)
            await self._forget()
        except RuntimeFailure as error:
            log.warning("pod cannot be cleaned up", pod=self._where(), error=str(error))

    def refresh_volumes(self) -> None:
        """A ConfigMap or Secret changed: write the volumes that show it, and look again."""
        pod = self._current()
        if pod is not None and not is_deleting(pod) and self._containers:
            try:
                self._node.volumes.refresh(pod, self._values())
            except (RuntimeFailure, OSError) as error:
                log.info("volumes are not refreshed", pod=self._where(), error=str(error))
        self._failures.clear()
        self.wake()


def _told(pod: Object) -> dict[str, pod_plan.ProbeState]:
    """Return what the Pod's status tells of the probes of its running containers, by container id.

    It outlives the kubelet: one that starts anew must not take a Pod for unready until it has probed it.
    """
    status = pod.get("status") or {}
    return {
        str(one["containerID"]).partition("://")[2]: pod_plan.ProbeState(
            bool(one.get("started")), bool(one.get("ready"))
        )
        for field in ("containerStatuses", "initContainerStatuses")
        for one in status.get(field) or ()
        if one.get("containerID") and "running" in (one.get("state") or {})
    }


def _all_containers(pod: Object) -> list[dict[str, Any]]:
    spec = pod["spec"]
    return [*spec["containers"], *(spec.get("initContainers") or ())]


def _with_foreign_conditions(status: dict[str, Any], current: Object) -> dict[str, Any]:
    """Return our status with the conditions that others wrote since we looked."""
    ours = {c["type"] for c in status["conditions"]}
    theirs = (current.get("status") or {}).get("conditions") or ()
    extra = [c for c in theirs if c["type"] not in ours]
    return {**status, "conditions": [*status["conditions"], *extra]}
