"""What a sync changes in a ConfigMap or Secret rolls its readers, once, where the sync's order puts it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.api import kinds
from reconciler.api.objects import Key, name_of
from reconciler.clock import run_virtual
from reconciler.control import EventWriter, Recorder
from reconciler.gitops.engine import KINDS, Engine
from reconciler.gitops.history import MemoryHistory
from reconciler.registry import Registry
from reconciler.runtime.memory import Behaviour
from tests.simulation.applications import Files
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig

HOOK_SECONDS = 20.0


def behaviour(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
    """``migrate`` ends after a while, badly where its configuration says so; others do not start with a broken one."""
    settings = container.env.get("settings", "")
    if container.name == "migrate":
        return Behaviour(exits_after=HOOK_SECONDS, exit_code=1 if settings == "unmigratable" else 0)
    return Behaviour(start_error="it cannot start") if settings == "broken" else Behaviour()


def config(value: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"settings": value},
        }
    )  # fmt: skip


def secret(value: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
            "stringData": {"key": value},
        }
    )  # fmt: skip


def container(name: str, image: str) -> dict[str, Any]:
    return {
        "name": name, "image": image, "command": [name],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
    }  # fmt: skip


def web(image: str = "web:1", **volume: Any) -> str:
    spec: dict[str, Any] = {"containers": [container("web", image)]}
    if volume:
        spec["volumes"] = [{"name": "v", **volume}]
        spec["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
            },
        }
    )  # fmt: skip


HOOK = yaml.safe_dump(
    {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"reconciler.dev/hook": "PreSync"}},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [container("migrate", "web:1")]}
            },
        },
    }
)  # fmt: skip


class Shop:
    """A whole control plane with one Application."""

    def __init__(self, path: Path) -> None:
        self.plane = ControlPlane(path, script=behaviour, extra=KINDS)
        self.files = Files()
        self.history = MemoryHistory()

    @contextlib.asynccontextmanager
    async def running(self, **policy: Any) -> AsyncIterator[Shop]:
        plane = self.plane
        async with plane.running():
            events = EventWriter(plane.registry, plane.clock)
            engine = Engine(
                plane.registry, plane.cache, clock=plane.clock, entropy=plane.entropy,
                recorder=Recorder(events, "test"), source_for=lambda _: self.files,
                history=self.history,
            )  # fmt: skip
            task = asyncio.create_task(engine.run())
            sync = {"automated": {"prune": True, "selfHeal": True}, **policy}
            app: Object = {
                "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "app"},
                "spec": {"source": {"directory": {"path": "/unused"}}, "syncPolicy": sync},
            }  # fmt: skip
            await plane.registry.apply(app, field_manager="test")
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def settle(self, seconds: float = 120) -> None:
        await self.plane.clock.sleep(seconds)

    def replica_sets(self) -> dict[str, int]:
        """Return the ReplicaSets: name → how many Pods are wanted of it."""
        found = self.plane.cache.snapshot.list(kinds.REPLICA_SET, "default")
        return {name_of(o): o["spec"]["replicas"] for o in found}

    def running_set(self) -> str:
        (name,) = [name for name, replicas in self.replica_sets().items() if replicas]
        return name


def test_a_config_and_an_image_that_change_together_are_one_rollout(tmp_path: Path) -> None:
    async def story() -> None:
        async with Shop(tmp_path).running() as shop:
            shop.files.write(a=config("1"), b=secret("1"), c=web(secret={"secretName": "key"}))
            await shop.settle()
            assert len(shop.replica_sets()) == 1
            changed = web("web:2", secret={"secretName": "key"})
            shop.files.write(a=config("2"), b=secret("2"), c=changed)
            await shop.settle()
            assert sorted(shop.replica_sets().values()) == [0, 2]
            shop.files.write(a=config("3"), b=secret("2"), c=changed)
            await shop.settle()
            assert sorted(shop.replica_sets().values()) == [0, 0, 2]
            assert [r.trigger for r in shop.history.records("app")] == ["source"] * 3

    run_virtual(story())


def test_readers_are_not_rolled_before_the_hook_that_comes_before_them_has_ended(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with Shop(tmp_path).running() as shop:
            shop.files.write(a=config("1"), b=HOOK, c=web())
            await shop.settle()
            first = shop.running_set()
            shop.files.write(a=config("2"), b=HOOK, c=web())
            await shop.settle(HOOK_SECONDS - 5)
            settings = await shop.plane.registry.get(kinds.CONFIG_MAP, "settings", "default")
            assert settings["data"] == {"settings": "2"}, "the hook reads it"
            assert shop.running_set() == first
            await shop.settle()
            assert shop.running_set() != first
            shop.files.write(a=config("unmigratable"), b=HOOK, c=web())
            second = shop.running_set()
            await shop.settle()
            assert "Failed" in {r.result for r in shop.history.records("app")}
            assert shop.running_set() == second, "nothing goes on after a hook that failed"
            shop.files.write(a=config("2"), b=HOOK, c=web())
            await shop.settle()
            assert shop.running_set() == second

    run_virtual(story())


def test_a_config_that_breaks_its_readers_is_rolled_back_to_the_same_replica_set(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with Shop(tmp_path).running(rollbackOnFailure=True, timeout="1m") as shop:
            shop.files.write(a=config("1"), c=web())
            await shop.settle()
            first = shop.running_set()
            shop.files.write(a=config("broken"), c=web())
            await shop.settle(300)
            assert shop.running_set() == first
            triggers = [(r.trigger, r.health) for r in shop.history.records("app")]
            assert triggers == [
                ("source", "Healthy"),
                ("source", "Degraded"),
                ("automatic-rollback", "Healthy"),
            ]

    run_virtual(story())


def test_what_somebody_else_changes_rolls_the_readers_too(tmp_path: Path) -> None:
    async def story() -> None:
        async with Shop(tmp_path).running(automated={"selfHeal": False}) as shop:
            shop.files.write(a=config("1"), c=web())
            await shop.settle()
            first = shop.running_set()
            patch = {"data": {"settings": "by hand"}}
            await shop.plane.registry.patch(kinds.CONFIG_MAP, "settings", "default", patch)
            await shop.settle()
            assert shop.running_set() != first

    run_virtual(story())


def test_a_daemon_that_died_between_a_config_and_its_reader_rolls_it_after_its_start(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        async with shop.running():
            shop.files.write(a=config("1"), c=web())
            await shop.settle()
            first = shop.running_set()
            apply, died = shop.plane.registry.apply, asyncio.Event()

            async def dies(obj: Object, **options: Any) -> Object:
                if Key.of(obj).kind == "Deployment" and not options.get("dry_run"):
                    died.set()
                    await asyncio.Event().wait()
                return await apply(obj, **options)

            shop.plane.registry.apply = dies  # type: ignore[method-assign]
            shop.files.write(a=config("2"), c=web())
            async with asyncio.timeout(60):
                await died.wait()
        plane = shop.plane
        plane.registry = Registry(plane.store, clock=plane.clock, entropy=plane.entropy)
        async with shop.running():
            await shop.settle()
            assert shop.running_set() != first

    run_virtual(story())
