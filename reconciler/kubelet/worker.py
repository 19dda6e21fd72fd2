"""One Pod's worker: look, plan, act, write the status; again whenever something may have changed.

Its parts: ``starting``, ``stopping`` and ``probing`` act, ``reporting`` writes; ``scope`` is what they share.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from reconciler.api import kinds
from reconciler.api.objects import Object, is_deleting, uid_of
from reconciler.errors import ReconcilerError, RuntimeFailure
from reconciler.kubelet import actions, termination_message
from reconciler.kubelet.conditions import eviction_of
from reconciler.kubelet.mounting import PodVolumes
from reconciler.kubelet.observed import Observed, all_containers, newest, ready_sandbox
from reconciler.kubelet.pod import plan as plan_pod
from reconciler.kubelet.probing import PodProbes
from reconciler.kubelet.reporting import BackOffs, let_go, write_status
from reconciler.kubelet.restarts import BACKOFF_RESET
from reconciler.kubelet.scope import Node, PodScope
from reconciler.kubelet.starting import FIRST_RETRY, Starter
from reconciler.kubelet.status import pod_status
from reconciler.kubelet.stopping import Stopper, end_at_once
from reconciler.runtime.cri import ContainerState, ContainerStatus

log = structlog.get_logger(__name__)


class PodWorker:
    """Keeps one Pod (one uid) as its object says, until it is gone."""

    def __init__(self, node: Node, pod: Object) -> None:
        self._node = node
        self._scope = PodScope(node, pod)
        self.uid = self._scope.uid
        self.wake = self._scope.wake
        self._volumes = PodVolumes(self._scope)
        self._starter = Starter(self._scope, self._volumes)
        self._stopper = Stopper(self._scope)
        self._probes = PodProbes(self._scope)
        self._crashes: dict[str, tuple[int, int, str]] = {}
        self._messages: dict[str, str] = {}
        self._back_offs = BackOffs(self._scope)
        self._containers: tuple[ContainerStatus, ...] = ()

    def containers(self) -> tuple[ContainerStatus, ...]:
        """Return what was seen last."""
        return self._containers

    async def run(self) -> None:
        """Work until the Pod is gone."""
        scope = self._scope
        try:
            async with asyncio.TaskGroup() as group:
                scope.tasks = group
                while not await self._turn():
                    await scope.woken()
                self._probes.end()
        finally:
            scope.forget_timer()

    async def _turn(self) -> bool:
        """Look and act once; returns whether the Pod is gone."""
        scope = self._scope
        scope.looking()
        pod = self._current()
        if pod is None:
            await self._clean_up()
            return True
        if _shown(pod) != _shown(scope.pod):
            self._volumes.stale = True
        scope.pod = pod
        try:
            return await self._reconcile(pod)
        except ReconcilerError as error:
            log.warning("pod cannot be synced", pod=scope.where, error=str(error))
            scope.later(FIRST_RETRY)
        except Exception:
            # One Pod's trouble must not end the others' workers.
            log.exception("pod worker failed", pod=scope.where)
            scope.later(5.0)
        return False

    def _current(self) -> Object | None:
        meta = self._scope.pod["metadata"]
        pod = self._node.cache.snapshot.get(kinds.POD, meta["namespace"], meta["name"])
        return pod if pod is not None and uid_of(pod) == self.uid else None

    async def _reconcile(self, pod: Object) -> bool:
        now = self._node.clock.now()
        observed = await self._observe(pod, now)
        box = ready_sandbox(observed)
        if box is not None and not is_deleting(pod) and self._volumes.are_due(pod):
            await self._volumes.refresh(pod, box.id)
        plan = plan_pod(pod, observed, now)
        for action in plan.actions:
            await self._perform(pod, action)
        if plan.actions:
            observed = await self._observe(pod, now)
        self._probes.keep(pod, observed, ending=plan.ending)
        status = pod_status(
            pod, observed, now, host_ip=self._node.host_ip,
            runtime=self._node.runtime.name, over=plan.ended,
        )  # fmt: skip
        self._back_offs.tell(pod, status)
        await write_status(self._scope, pod, status)
        if plan.ended and is_deleting(pod):
            await self._forget()
            await let_go(self._scope, pod)
            return True
        starts = any(
            isinstance(a, (actions.RunSandbox, actions.StartContainer)) for a in plan.actions
        )
        if starts:
            self.wake()
        elif plan.requeue_after is not None:
            self._scope.later(plan.requeue_after)
        return False

    # -- looking -------------------------------------------------------------------------------------------------

    async def _observe(self, pod: Object, now: float) -> Observed:
        runtime = self._node.runtime
        containers = tuple(await runtime.containers(self.uid))
        self._containers = containers
        self._count_crashes(containers)
        return Observed(
            sandboxes=tuple(await runtime.pods(self.uid)),
            containers=containers,
            probes=self._probes.states(pod),
            stopping=self._stopper.under_way(
                c for c in containers if c.state is ContainerState.RUNNING
            ),
            failures=self._starter.failures(now),
            crashes={n: count for n, (_, count, _) in self._crashes.items()},
            serving=is_deleting(pod) and self._is_serving(pod),
            hooks=frozenset(self._starter.hooks),
            replaced=frozenset(self._stopper.replaced),
            messages=self._read_messages(pod, containers),
            eviction=eviction_of(pod),
        )

    def _count_crashes(self, containers: tuple[ContainerStatus, ...]) -> None:
        """Count how often each container has ended in a row; another image starts over (P06)."""
        for name in {c.name for c in containers}:
            last = newest(containers, name)
            if last is None or last.state is not ContainerState.EXITED:
                continue
            before = (-1, min(last.attempt, 5), last.image)
            attempt, count, image = self._crashes.get(name, before)
            if last.attempt > attempt:
                long = last.finished_at - last.started_at >= BACKOFF_RESET
                count = 1 if long or image != last.image else count + 1
                self._crashes[name] = (last.attempt, count, last.image)

    def _read_messages(
        self, pod: Object, containers: tuple[ContainerStatus, ...]
    ) -> dict[str, str]:
        """Return what ended containers left to be told, each read once (P37)."""
        ended = [c for c in containers if c.state is ContainerState.EXITED]
        if not ended:
            return {}
        specs = {c["name"]: c for c in all_containers(pod)}
        directory = self._node.volumes.pod_directory(self.uid)
        known, self._messages = self._messages, {}
        for status in ended:
            message = known.get(status.id)
            if message is None and status.name in specs:
                log_file = directory / "logs" / status.name / f"{status.attempt}.log"
                message = termination_message.read(specs[status.name], status, directory, log_file)
            self._messages[status.id] = message or ""
        return termination_message.shared(self._messages, len(specs))

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

    # -- acting --------------------------------------------------------------------------------------------------

    async def _perform(self, pod: Object, action: actions.Action) -> None:
        runtime = self._node.runtime
        match action:
            case actions.RunSandbox(attempt):
                await self._starter.run_sandbox(pod, attempt)
            case actions.StopSandbox(box, remove):
                await runtime.stop_pod_sandbox(box.id)
                if remove:
                    await runtime.remove_pod_sandbox(box.id)
            case actions.StartContainer():
                await self._starter.start(pod, action)
            case actions.StopContainer():
                self._stopper.stop(pod, action)
            case actions.RemoveContainer(container):
                await runtime.remove_container(container.id)
                directory = self._node.volumes.pod_directory(self.uid)
                termination_message.file_of(directory, container.name, container.attempt).unlink(
                    missing_ok=True
                )

    def refresh_volumes(self) -> None:
        """A ConfigMap or Secret changed: write the volumes that show it, and look again."""
        self._volumes.stale = True
        self._starter.forgive()
        self.wake()

    # -- the end -------------------------------------------------------------------------------------------------

    async def _forget(self) -> None:
        for box in await self._node.runtime.pods(self.uid):
            await self._node.runtime.remove_pod_sandbox(box.id)
        self._node.volumes.tear_down(self.uid)

    async def _clean_up(self) -> None:
        """The object went away without us (a forced deletion): end what runs, with the least grace (D04)."""
        try:
            await end_at_once(self._node.runtime, self.uid)
            await self._forget()
        except RuntimeFailure as error:
            log.warning("pod cannot be cleaned up", pod=self._scope.where, error=str(error))


def _shown(pod: Object) -> tuple[Any, Any]:
    """Return what of a Pod may change while volumes show it (the downward API)."""
    meta = pod["metadata"]
    return meta.get("labels"), meta.get("annotations")
