"""One simulated machine: a disk and a runtime that last, and a daemon over them that may die and be started again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy
from reconciler.control import EventWriter, InformerCache, Plane, Recorder, required_kinds
from reconciler.controllers import all_controllers
from reconciler.daemon.bootstrap import bootstrap
from reconciler.errors import SourceError, Unavailable
from reconciler.gitops.engine import KINDS as GITOPS_KINDS
from reconciler.gitops.engine import Engine
from reconciler.gitops.history import MemoryHistory
from reconciler.gitops.source import File, Snapshot
from reconciler.kubelet import KINDS as KUBELET_KINDS
from reconciler.kubelet import Kubelet
from reconciler.kubelet.probes import Outcome
from reconciler.proxy.table import RoutingTable, slice_service
from reconciler.scheduler import Scheduler
from reconciler.simulation.disk import Disk
from reconciler.simulation.invariants import Invariants
from reconciler.simulation.machine import Machine, Meter
from reconciler.simulation.watches import LossyRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.kubelet.probes import Target


class JumpingClock(LoopClock):
    """Virtual time whose wall clock can be set; durations are not touched by that."""

    def __init__(self) -> None:
        super().__init__()
        self._offset = 0.0
        self.went_back = False

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._offset += seconds
        self.went_back |= seconds < 0

    def now(self) -> float:
        return super().now() + self._offset


class Files:
    """A source that the story writes into."""

    def __init__(self) -> None:
        self._files: Mapping[str, str] = {}
        self._changed = asyncio.Event()

    def write(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._changed.set()

    async def snapshot(self) -> Snapshot:
        found = {}
        for path, text in self._files.items():
            found[path] = File(path, hashlib.sha256(text.encode()).hexdigest(), text.encode())
        revision = hashlib.sha256("".join(f.digest for f in found.values()).encode()).hexdigest()
        return Snapshot(revision[:12], found)

    async def changed(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def refresh(self) -> None:
        pass

    async def at(self, revision: str) -> Snapshot:
        raise SourceError(f"the story has no revision {revision!r}")

    async def close(self) -> None:
        pass


class World:
    """The machine. ``begin`` starts a daemon, ``end`` kills it; ``invariants`` sees every write."""

    def __init__(self, seed: int, state_dir: Path) -> None:
        self.clock = JumpingClock()
        self.entropy = SeededEntropy(seed)
        self.invariants = Invariants(lambda: asyncio.get_running_loop().time())
        self.disk = Disk(self.invariants.took)
        self.runtime = Machine(self.clock)
        self.files = Files()
        self.failing = False  # do readiness probes fail?
        self.loads: dict[str, int] = {}  # workload → millicores that its Pods use together
        self.crashes = 0
        self._history = MemoryHistory()
        self._state_dir = state_dir
        self._tasks: list[asyncio.Task[Any]] = []
        self.registry: LossyRegistry

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:  # noqa: ARG002
        """Answer a probe. Implements ``kubelet.probes.Prober``."""
        return Outcome(ok=not self.failing, message="the simulation says so")

    async def begin(self) -> None:
        """Start a daemon over the disk and whatever runs."""
        self.registry = registry = LossyRegistry(self.disk, clock=self.clock, entropy=self.entropy)
        await registry.start()
        self._tasks = [asyncio.create_task(self._daemon(registry), name="daemon")]

    async def _daemon(self, registry: LossyRegistry) -> None:
        app: Object = {
            "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "app"},
            "spec": {
                "source": {"directory": {"path": "/simulated"}},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "pruneLimit": {"percent": 100},
                },
            },
        }  # fmt: skip
        while True:
            try:
                await bootstrap(registry)
                await registry.apply(app, field_manager="simulation")
                break
            except Unavailable:
                # A daemon that cannot begin ends, and whoever started it starts it again.
                await self.clock.sleep(1.0)
        meter = Meter(self.clock, self.invariants.live, self.loads)
        controllers = (*all_controllers(metrics=meter), Scheduler())
        followed = dict.fromkeys([*required_kinds(controllers), *KUBELET_KINDS, *GITOPS_KINDS])
        cache = InformerCache(registry, followed, clock=self.clock)
        self.table = _routed(cache)
        events = EventWriter(registry, self.clock)
        plane = Plane(registry, cache, controllers, events, clock=self.clock)
        kubelet = Kubelet(
            registry, cache, self.runtime, clock=self.clock, entropy=self.entropy,
            recorder=Recorder(events, "kubelet"), state_dir=self._state_dir, node_name="node",
            prober=self, cpu=100_000, memory=1 << 40,
        )  # fmt: skip
        engine = Engine(
            registry, cache, clock=self.clock, entropy=self.entropy, history=self._history,
            recorder=Recorder(events, "reconciler"), source_for=lambda _: self.files,
            mask=b"simulation",
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            for run in (cache.run, plane.run, kubelet.run, events.run, engine.run):
                group.create_task(run())

    def failure(self) -> BaseException | None:
        """Return what ended the daemon, if something did."""
        task = self._tasks[0]
        return task.exception() if task.done() and not task.cancelled() else None

    async def end(self, keep: frozenset[asyncio.Task[Any]]) -> None:
        """Kill the daemon as SIGKILL does: nothing of it runs on, only the disk and the runtime last."""
        doomed = [t for t in asyncio.all_tasks() if t not in keep]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)

    def reboot(self) -> None:
        """Forget whatever ran; for when no daemon is there."""
        self.runtime = Machine(self.clock)

    async def application(self) -> dict[str, Any]:
        """Return the Application's status."""
        found = await self.registry.get(kinds.APPLICATION, "app")
        return dict(found.get("status") or {})


def _routed(cache: InformerCache) -> RoutingTable:
    """Return the proxy's table as the daemon's informers feed it."""
    table = RoutingTable()

    def service(old: Object | None, new: Object | None) -> None:
        meta = (new or old or {})["metadata"]
        table.set_service((meta["namespace"], meta["name"]), new)

    def piece(old: Object | None, new: Object | None) -> None:
        known = new or old or {}
        name = slice_service(known)
        if name is not None:
            table.set_slice(name, known["metadata"]["name"], new)

    cache.subscribe(kinds.SERVICE, service)
    cache.subscribe(kinds.ENDPOINT_SLICE, piece)
    return table
