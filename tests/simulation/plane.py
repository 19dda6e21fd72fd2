"""The whole control plane on the memory runtime, for tests under virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy
from reconciler.control import EventWriter, InformerCache, Plane, Recorder, required_kinds
from reconciler.controllers import all_controllers
from reconciler.kubelet import KINDS, AlwaysReady, Kubelet
from reconciler.registry import Registry
from reconciler.runtime.memory import Behaviour, MemoryRuntime, runs_for_ever
from reconciler.scheduler import Scheduler
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.api.tokens import TokenSource
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig


class ControlPlane:
    """Registry, controllers, scheduler and kubelet of one simulated node."""

    def __init__(
        self,
        state_dir: Path,
        *,
        seed: int = 0,
        script: Callable[[SandboxConfig, ContainerConfig], Behaviour] = runs_for_ever,
        cpu: int = 1_000_000,
        extra: Iterable[kinds.Kind] = (),
        tokens: TokenSource | None = None,
    ) -> None:
        self.clock = LoopClock()
        self.entropy = SeededEntropy(seed)
        self.store = MemoryStore()
        self.registry = Registry(self.store, clock=self.clock, entropy=self.entropy)
        self.runtime = MemoryRuntime(clock=self.clock, script=script, pod_cidr="10.0.0.0/8")
        self._state_dir = state_dir
        self._cpu = cpu
        self._extra = tuple(extra)
        self._tokens = tokens

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ControlPlane]:
        await self.registry.start()
        for name in ("default", "kube-system"):
            with contextlib.suppress(Exception):
                await self.registry.create(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                )
        controllers = (*all_controllers(), Scheduler())
        followed = dict.fromkeys([*required_kinds(controllers), *KINDS, *self._extra])
        self.cache = InformerCache(self.registry, followed, clock=self.clock)
        events = EventWriter(self.registry, self.clock)
        self.plane = Plane(self.registry, self.cache, controllers, events, clock=self.clock)
        self.kubelet = Kubelet(
            self.registry, self.cache, self.runtime, clock=self.clock, entropy=self.entropy,
            recorder=Recorder(events, "kubelet"), state_dir=self._state_dir, node_name="node",
            prober=AlwaysReady(), cpu=self._cpu, memory=1 << 40, tokens=self._tokens,
        )  # fmt: skip
        tasks = [
            asyncio.create_task(run())
            for run in (self.cache.run, self.plane.run, self.kubelet.run, events.run)
        ]
        try:
            yield self
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.registry.close()

    async def until(self, true: Callable[[], bool], seconds: float = 3600) -> None:
        """Let virtual time pass until something is true."""
        end = self.clock.monotonic() + seconds
        while not true():
            assert self.clock.monotonic() < end, f"not so after {seconds} virtual seconds"
            await self.clock.sleep(0.05)

    def pods(self, namespace: str = "default") -> list[Object]:
        return list(self.cache.snapshot.list(kinds.POD, namespace))

    def ready_pods(self, namespace: str = "default") -> list[Object]:
        return [p for p in self.pods(namespace) if is_ready(p)]


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) and not (
        pod["metadata"].get("deletionTimestamp")
    )


def deployment(name: str, replicas: int, image: str = "app:1", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image, "command": ["app"]}]},
            },
            **spec,
        },
    }
