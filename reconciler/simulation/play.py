"""Live one story through, and say what broke."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import kinds, pods
from reconciler.clock import run_virtual
from reconciler.errors import ApiError
from reconciler.runtime.cri import ContainerState
from reconciler.simulation.manifests import edited, files_of, objects_of
from reconciler.simulation.story import FAULTS
from reconciler.simulation.world import World

if TYPE_CHECKING:
    from reconciler.simulation.manifests import Workload
    from reconciler.simulation.story import Step, Story

#: Virtual seconds in which a world comes to rest after the last fault: CrashLoopBackOff and a retried sync are the longest.
SETTLE = 900.0
#: Virtual seconds for which the routing table may name a Pod that is not ready: a lost watch is listed again after one.
LAG = 3.0
#: Virtual seconds after a fault in which what happened during it may become known.
BECOMES_KNOWN = 30.0


class Verdict(NamedTuple):
    """How a story ended: ``broken`` says what did not hold (empty: all did); ``writes`` counts the store's."""

    story: Story
    broken: str
    writes: int
    crashes: int


def play(story: Story) -> Verdict:
    """Live a story through under virtual time. Equal stories end alike."""
    with tempfile.TemporaryDirectory(prefix="reconciler-simulation-") as folder:
        return run_virtual(_Player(story, Path(folder)).play())


class _Player:
    def __init__(self, story: Story, folder: Path) -> None:
        self._story = story
        self._folder = folder
        self._workloads: dict[str, Workload] = {}
        self._unready: dict[
            str, float
        ] = {}  # address in the table → since when its Pod is not ready
        self._late = ""

    async def play(self) -> Verdict:
        self._world = world = World(self._story.seed, self._folder)
        self._mine = frozenset(t for t in [asyncio.current_task()] if t)
        self._helpers: set[asyncio.Task[None]] = set()
        await world.begin()
        try:
            broken = await self._live()
        except Exception as error:  # noqa: BLE001 - whatever ends a daemon is what was looked for
            broken = f"{type(error).__name__}: {error}"
        finally:
            await world.end(self._mine)
        return Verdict(self._story, broken, world.registry.revision, world.crashes)

    async def _live(self) -> str:
        for step in self._story.steps:
            if broken := await self._until(step.at):
                return broken
            await self._do(step)
        rest = asyncio.get_running_loop().time() + SETTLE
        if broken := await self._until(rest, pause=5.0, early=True):
            return broken
        return await self._at_rest()

    async def _until(self, end: float, *, pause: float = 0.5, early: bool = False) -> str:
        """Let time pass to ``end`` (or to what looks like rest); return what broke meanwhile."""
        loop, world = asyncio.get_running_loop(), self._world
        quiet, revision = 0, -1
        while True:
            left = end - loop.time()
            if left <= 0:
                return ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, pause)):
                    await world.disk.died.wait()
            if world.disk.died.is_set():
                await self._restart()
            if failed := world.failure():
                return f"the daemon ended: {failed!r}"
            if world.invariants.broken:
                return world.invariants.broken[0]
            if self._late or self._misrouted():
                return self._late
            quiet = quiet + 1 if world.registry.revision == revision else 0
            revision = world.registry.revision
            if early and quiet > 24 and not self._helpers and await self._converged():
                return ""

    async def _restart(self) -> None:
        world = self._world
        await world.end(self._mine | frozenset(self._helpers))
        world.crashes += 1
        world.disk.mount()
        self._unready.clear()
        await world.begin()

    async def _do(self, step: Step) -> None:
        if step.what in FAULTS:
            await self._break(step)
            return
        self._workloads = edited(self._workloads, step)
        self._world.files.write(files_of(self._workloads))
        self._world.invariants.want(
            f"/{o['apiVersion'].rpartition('/')[0]}/{o['kind']}/default/{o['metadata']['name']}"
            for w in self._workloads.values()
            for o in objects_of(w)
        )

    async def _break(self, step: Step) -> None:
        world = self._world
        match step.what:
            case "crash":
                world.disk.die(step.value // 2, after=bool(step.value % 2))
            case "full":
                world.disk.full = True
                world.invariants.disturb()
                world.invariants.disturbances += 1
                self._later(step.value, "full")
            case "unready":
                world.invariants.disturb()
                world.failing = True
                world.invariants.disturbances += 1
                self._later(step.value, "unready")
            case "drop":
                world.registry.drops += 1
            case "jump":
                world.clock.offset += step.value
            case "exit":
                world.invariants.disturb()
                running = [
                    c for c in await world.runtime.containers() if c.state is ContainerState.RUNNING
                ]
                if running:
                    chosen = running[step.value % len(running)]
                    world.runtime.exit(chosen.pod_uid, chosen.name, 1)
            case "meddle":
                await self._meddle(step)

    async def _meddle(self, step: Step) -> None:
        kind = {"deployment": kinds.DEPLOYMENT, "statefulset": kinds.STATEFUL_SET}.get(
            step.target.partition("-")[0]
        )
        if kind is None or self._world.disk.full:
            return
        patch = {"spec": {"replicas": step.value % 4}}
        # A write that the dying daemon never answers is an answer too.
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(1):
                await self._world.registry.patch(
                    kind, step.target, "default", patch, field_manager="hand"
                )

    def _later(self, seconds: float, what: str) -> None:
        """End a fault after a while, whether or not the daemon dies meanwhile."""
        task = asyncio.get_running_loop().create_task(self._heal(seconds, what))
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _heal(self, seconds: float, what: str) -> None:
        await asyncio.sleep(seconds)
        if what == "full":
            self._world.disk.full = False
        else:
            self._world.failing = False
        # What happened meanwhile becomes known only now.
        await asyncio.sleep(BECOMES_KNOWN)
        self._world.invariants.disturbances -= 1

    def _misrouted(self) -> bool:
        """Find out whether somebody is sent to a Pod that has not been ready for a while."""
        world, now = self._world, asyncio.get_running_loop().time()
        if world.disk.full or not hasattr(world, "table"):
            self._unready.clear()
            return False
        serving = {
            (p.get("status") or {}).get("podIP")
            for k, p in world.invariants.objects.items()
            if k.startswith("//Pod/") and pods.is_ready(p)
        }
        wrong = {
            backend.address
            for port in world.table.listeners().values()
            for backend in world.table.backends(port.key)
            if backend.address not in serving
        }
        self._unready = {a: self._unready.get(a, now) for a in wrong}
        for address, since in self._unready.items():
            if now - since > LAG:
                self._late = f"requests went to {address} {now - since:g} s after it was ready"
        return bool(self._late)

    async def _converged(self) -> bool:
        """Find out whether all is as asked."""
        status = await self._world.application()
        return bool(
            (status.get("sync") or {}).get("status") == "Synced"
            and (status.get("health") or {}).get("status") == "Healthy"
        )

    async def _at_rest(self) -> str:
        """Check a world that nothing happens to any more, and let it be for a while."""
        world = self._world
        if not await self._converged():
            status = await world.application()
            told = {k: status.get(k) for k in ("sync", "health", "conditions", "operationState")}
            return f"not Synced and Healthy {SETTLE:g} s after the last step: {told}"
        if orphans := world.invariants.orphans():
            return orphans[0]
        if broken := await self._counted():
            return broken
        world.disk.mount()  # a death that no write has brought about is none
        revision = world.registry.revision
        if broken := await self._until(
            asyncio.get_running_loop().time() + self._story.hours * 3600, pause=300
        ):
            return broken
        if world.registry.revision != revision:
            late = [
                k for k, o in world.invariants.objects.items()
                if int(o["metadata"]["resourceVersion"]) > revision
            ]  # fmt: skip
            return f"{world.registry.revision - revision} writes at rest: {', '.join(late[:4])}"
        return ""

    async def _counted(self) -> str:
        """Compare what runs with what the repository asks for."""
        world = self._world
        live = {
            p["metadata"]["uid"]: p
            for k, p in world.invariants.objects.items()
            if k.startswith("//Pod/")
        }
        sandboxes = [s.uid for s in await world.runtime.pods()]
        if strays := [uid for uid in sandboxes if uid not in live]:
            return f"sandbox of Pod {strays[0]} runs, and no such Pod is there"
        for workload in self._workloads.values():
            if workload.kind not in ("Deployment", "StatefulSet"):
                continue
            mine = [
                p
                for p in live.values()
                if (p["metadata"].get("labels") or {}).get("app") == workload.name
            ]
            if len(mine) != workload.replicas:
                return f"{workload.name} has {len(mine)} Pods of {workload.replicas}"
        return ""
