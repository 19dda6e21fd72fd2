"""A Pod's containers are stopped: the preStop hook and what is under way first, then the signal (D06, D07)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api.objects import is_deleting
from reconciler.errors import RuntimeFailure
from reconciler.kubelet.hooks import run_hook
from reconciler.kubelet.observed import all_containers
from reconciler.runtime.cri import ContainerState, SandboxState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object
    from reconciler.kubelet.actions import StopContainer
    from reconciler.kubelet.scope import PodScope
    from reconciler.runtime.cri import ContainerStatus, Runtime

log = structlog.get_logger(__name__)

#: However long its preStop hook and its clients took, a container has so long to end by itself, in seconds (D07).
LEAST_GRACE = 2.0
#: How soon a stop that failed is tried again, in seconds.
RETRY = 1.0
#: What is deleted at once has still so long to end by itself, in seconds (D04).
FORCED_GRACE = 1.0


class Stopper:
    """Stops what the plan says, beside the worker, and remembers when each grace ends."""

    __slots__ = ("_ended", "_running", "_scope", "_stopping", "replaced")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._stopping: dict[str, float] = {}
        self._running: frozenset[str] = frozenset()
        self._ended = asyncio.Event()
        self.replaced: set[str] = set()

    def under_way(self, running: Iterable[ContainerStatus]) -> dict[str, float]:
        """Hear which containers run; returns when the grace ends of those that are being stopped, by id."""
        by_id = {c.id: c.name for c in running}
        names = frozenset(by_id.values())
        if self._stopping and names != self._running:
            self._ended.set()
            self._ended = asyncio.Event()
        self._running = names
        self._stopping = {i: t for i, t in self._stopping.items() if i in by_id}
        return dict(self._stopping)

    def stop(self, pod: Object, action: StopContainer) -> None:
        scope = self._scope
        self._stopping[action.container.id] = scope.node.clock.now() + action.grace_seconds
        if action.replace:
            self.replaced.add(action.container.id)
        scope.event(pod, "Normal", "Killing", action.why, action.container.name)
        scope.spawn(self._stop(pod, action))

    async def _stop(self, pod: Object, action: StopContainer) -> None:
        scope, container = self._scope, action.container
        clock = scope.node.clock
        named = [c for c in all_containers(pod) if c["name"] == container.name]
        spec = named[0] if named else {}
        hook = (spec.get("lifecycle") or {}).get("preStop")
        left = action.grace_seconds
        started = clock.monotonic()
        if left > 0:
            async with asyncio.TaskGroup() as before:
                if hook:
                    before.create_task(self._pre_stop(pod, spec, container.id, hook, left))
                if is_deleting(pod):
                    before.create_task(self._drain(left - LEAST_GRACE))
                if action.after:
                    before.create_task(self._turn(action.after, left))
            least = LEAST_GRACE if hook or action.after else min(left, LEAST_GRACE)
            left = max(left - (clock.monotonic() - started), least)
        try:
            await scope.node.runtime.stop_container(container.id, left)
        except RuntimeFailure as error:
            log.warning("container cannot be stopped", pod=scope.where, error=str(error))
            scope.event(pod, "Warning", "FailedKillPod", f"error killing pod: {error}")
            # Until then it counts as being stopped: who looks meanwhile must not ask again.
            await clock.sleep(RETRY)
            self._stopping.pop(container.id, None)
        scope.wake()

    async def _turn(self, after: frozenset[str], seconds: float) -> None:
        """Wait until the containers that go first have ended, or the grace has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while after & self._running:
                    await self._ended.wait()

    async def _pre_stop(
        self,
        pod: Object,
        spec: dict[str, Any],
        container_id: str,
        hook: dict[str, Any],
        left: float,
    ) -> None:
        scope = self._scope
        target = scope.target(pod, spec, container_id, scope.values().pod_ip)
        try:
            async with asyncio.timeout(left):
                await run_hook(hook, scope.node.prober, target, scope.node.clock)
        except (TimeoutError, RuntimeFailure) as error:
            told = str(error) or "timed out"
            scope.event(pod, "Warning", "FailedPreStopHook", told, spec["name"])

    async def _drain(self, seconds: float) -> None:
        """Let what is under way to this Pod end before it hears of its own end."""
        node, address = self._scope.node, self._scope.values().pod_ip
        if node.drain is not None and address and seconds > 0:
            await node.drain(address, seconds)


async def end_at_once(runtime: Runtime, uid: str) -> None:
    """End everything of a Pod whose object is gone. Raises ``RuntimeFailure``."""
    async with asyncio.TaskGroup() as group:
        for container in await runtime.containers(uid):
            if container.state is ContainerState.RUNNING:
                group.create_task(runtime.stop_container(container.id, FORCED_GRACE))
    for box in await runtime.pods(uid):
        if box.state is SandboxState.READY:
            await runtime.stop_pod_sandbox(box.id)
