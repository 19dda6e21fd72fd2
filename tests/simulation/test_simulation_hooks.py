"""Hooks of an Application on the whole control plane, under virtual time: real Jobs, real Pods."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, run_virtual
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.gitops.engine import KINDS, Engine
from reconciler.runtime.memory import Behaviour
from tests.simulation.applications import Files, config
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig

MIGRATE = """
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {argocd.argoproj.io/hook: PreSync}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: "%s"
          envFrom: [{configMapRef: {name: settings}}]
"""


def ends(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
    """Return what a container does: one of image ``bad`` fails, all take three seconds."""
    return Behaviour(exits_after=3, exit_code=1 if "bad" in container.image else 0)


class World:
    """A control plane and an engine with one Application."""

    def __init__(self, path: Path) -> None:
        self.plane = ControlPlane(path, script=ends)
        self.files = Files()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        async with self.plane.running() as plane:
            cache = InformerCache(plane.registry, KINDS, clock=plane.clock)
            recorder = Recorder(EventWriter(plane.registry, plane.clock), "test")
            engine = Engine(
                plane.registry, cache, clock=plane.clock, entropy=SeededEntropy(), recorder=recorder,
                source_for=lambda _: self.files, tail=self.tail,
            )  # fmt: skip
            tasks = [asyncio.create_task(run()) for run in (cache.run, engine.run)]
            app: Object = {
                "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "app"},
                "spec": {
                    "source": {"directory": {"path": "/unused"}},
                    "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
                },
            }  # fmt: skip
            await plane.registry.apply(app, field_manager="test")
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def tail(self, namespace: str, pod: str, container: str, lines: int) -> list[str]:
        return [f"the last words of {namespace}/{pod}/{container}"][:lines]

    async def settle(self, seconds: float = 30) -> None:
        await self.plane.clock.sleep(seconds)

    async def names(self, kind: kinds.Kind) -> list[str]:
        return [o["metadata"]["name"] for o in (await self.plane.registry.list(kind)).items]

    async def job(self) -> Object:
        return await self.plane.registry.get(kinds.JOB, "migrate", "default")

    async def status(self) -> dict[str, Any]:
        return dict((await self.plane.registry.get(kinds.APPLICATION, "app"))["status"])


def test_a_hook_runs_before_each_sync_of_a_new_revision_and_never_for_drift(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path).running() as world:
            world.files.write(a=config("settings"), b=MIGRATE % "good:1", c=config("late"))
            await world.settle()
            first = await world.job()
            status = await world.status()
            assert status["sync"]["status"] == "Synced"
            # The hook's own ConfigMap came before it; it is no part of what the Application owns.
            assert [r["name"] for r in status["resources"]] == ["settings", "late"]
            assert any(c["type"] == "Complete" for c in first["status"]["conditions"])

            await world.plane.registry.delete(kinds.CONFIG_MAP, "late", "default")
            await world.settle()
            assert await world.names(kinds.CONFIG_MAP) == ["late", "settings"]
            assert (await world.job())["metadata"]["uid"] == first["metadata"]["uid"]

            world.files.write(a=config("settings"), b=MIGRATE % "good:1", c=config("late", "2"))
            await world.settle()
            assert (await world.job())["metadata"]["uid"] != first["metadata"]["uid"]

            second = await world.job()
            world.files.write(a=config("settings"), b=MIGRATE % "good:2", c=config("late", "2"))
            await world.settle()
            third = await world.job()
            assert third["metadata"]["uid"] != second["metadata"]["uid"]
            assert (await world.status())["sync"]["status"] == "Synced"

    run_virtual(story())


def test_a_failed_presync_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path).running() as world:
            world.files.write(a=config("settings"), b=MIGRATE % "good:1", c=config("late", "1"))
            await world.settle()
            world.files.write(a=config("settings"), b=MIGRATE % "bad:1", c=config("late", "2"))
            await world.settle()
            late = await world.plane.registry.get(kinds.CONFIG_MAP, "late", "default")
            assert late["data"] == {"value": "1"}
            told = next(
                c["message"]
                for c in (await world.status())["conditions"]
                if c["type"] == "SyncFailed"
            )
            assert "Job.batch/default/migrate: " in told
            assert "exit code 1" in told
            assert "| the last words of default/migrate-" in told
            assert "ConfigMap/default/late: not started: Job.batch/default/migrate failed" in told

            world.files.write(a=config("settings"), b=MIGRATE % "good:2", c=config("late", "2"))
            await world.settle()
            late = await world.plane.registry.get(kinds.CONFIG_MAP, "late", "default")
            assert late["data"] == {"value": "2"}
            assert (await world.status())["sync"]["status"] == "Synced"

    run_virtual(story())


def test_a_hook_without_a_name_of_its_own_takes_the_last_ones_place(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path).running() as world:
            hook = (MIGRATE % "good:1").replace("name: migrate\n", "generateName: migrate-\n", 1)
            for value in ("1", "2"):
                world.files.write(a=config("settings"), b=hook, c=config("late", value))
                await world.settle()
                (name,) = await world.names(kinds.JOB)
                assert name.startswith("migrate-")
                assert (await world.status())["sync"]["status"] == "Synced"
            nameless = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n"
            world.files.write(a=config("settings"), b=hook, c=config("late"), d=nameless)
            await world.settle()
            (told,) = [c["message"] for c in (await world.status())["conditions"]]
            assert "only hooks need none" in told

    run_virtual(story())


def test_hooks_go_with_their_application(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path).running() as world:
            world.files.write(a=config("settings"), b=MIGRATE % "good:1")
            await world.settle()
            await world.plane.registry.delete(kinds.APPLICATION, "app")
            await world.settle()
            assert await world.names(kinds.JOB) == []

    run_virtual(story())
