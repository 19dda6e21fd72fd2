"""Live one story through, and say what broke."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.clock import run_virtual
from reconciler.simulation.faults import Faults
from reconciler.simulation.manifests import files_of, objects_of
from reconciler.simulation.rest import unmet
from reconciler.simulation.routes import Routes
from reconciler.simulation.story import FAULTS
from reconciler.simulation.workloads import edited
from reconciler.simulation.world import World

if TYPE_CHECKING:
    from reconciler.simulation.story import Step, Story
    from reconciler.simulation.workloads import Workload

#: Virtual seconds in which a world comes to rest after the last fault: CrashLoopBackOff and a retried sync are the longest.
SETTLE = 900.0
#: What looks like rest: so many looks without a write, so many virtual seconds apart.
QUIET, PAUSE = 24, 5.0


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

    async def play(self) -> Verdict:
        self._world = world = World(self._story.seed, self._folder)
        self._mine = frozenset(t for t in [asyncio.current_task()] if t)
        self._faults = Faults(world, self._restart)
        self._routes = Routes(world)
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
        if broken := await self._until(rest, pause=PAUSE, early=True):
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
            if broken := self._routes.look() or await self._routes.look_at_pods():
                return broken
            quiet = quiet + 1 if world.invariants.revision == revision else 0
            revision = world.invariants.revision
            if early and quiet > QUIET and not self._faults.lasting and await self._converged():
                return ""

    async def _restart(self, *, machine: bool = False) -> None:
        """Let the daemon die, or the whole machine, and start it again."""
        world = self._world
        await world.end(self._mine | frozenset(self._faults.lasting))
        world.crashes += 1
        world.disk.mount()
        if machine:
            world.reboot()
        self._routes.forget()
        await world.begin()

    async def _do(self, step: Step) -> None:
        if step.what in FAULTS:
            await self._faults.happen(step)
            return
        self._workloads = edited(self._workloads, step)
        self._world.files.write(files_of(self._workloads))
        self._world.invariants.want(
            f"/{o['apiVersion'].rpartition('/')[0]}/{o['kind']}/default/{o['metadata']['name']}"
            for w in self._workloads.values()
            for o in objects_of(w)
        )

    async def _converged(self) -> bool:
        """Find out whether all is as asked."""
        status = await self._world.application()
        if (status.get("sync") or {}).get("status") != "Synced":
            return False
        health = status.get("health") or {}
        match health.get("status"):
            case "Healthy":
                return True
            case "Suspended":
                return any(w.kind == "Job" and w.suspended for w in self._workloads.values())
        # A run that ended before it was due, by a clock that was set back, is no success until the next one.
        return self._world.clock.went_back and "CronJob" in str(health.get("message"))

    async def _at_rest(self) -> str:
        """Check a world that nothing happens to any more, and let it be for a while."""
        world, invariants = self._world, self._world.invariants
        if not await self._converged():
            status = await world.application()
            told = {k: status.get(k) for k in ("sync", "health", "conditions", "operationState")}
            return f"not Synced and Healthy {SETTLE:g} s after the last step: {told}"
        wrong = [
            *invariants.lost(),
            *unmet(self._workloads.values(), invariants.live, world.runtime.told, world.loads),
            *invariants.orphans(),
            *invariants.runs.miscounted(),
            *await self._strays(),
        ]
        if wrong:
            return wrong[0]
        world.disk.mount()  # a death that no write has brought about is none
        revision = invariants.revision
        if broken := await self._until(
            asyncio.get_running_loop().time() + self._story.hours * 3600, pause=300
        ):
            return broken
        if invariants.revision != revision:
            late = invariants.written_after(revision)
            # Pods that started in what was the future seem to start when it comes round, and are not measured then.
            if not world.clock.went_back or all("/HorizontalPodAutoscaler/" not in k for k in late):
                return f"writes at rest: {', '.join(late[:4])}"
        return ""

    async def _strays(self) -> list[str]:
        """Return the sandboxes of Pods that are not there."""
        live = {p["metadata"]["uid"] for p in self._world.invariants.live.of("", "Pod")}
        return [
            f"sandbox of Pod {s.uid} runs, and no such Pod is there"
            for s in await self._world.runtime.pods()
            if s.uid not in live
        ]
