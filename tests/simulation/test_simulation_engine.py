"""The sync engine over a whole control plane, under virtual time; its source is a dict of files."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy, run_virtual
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.gitops.engine import KINDS, Engine
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore
from tests.simulation.applications import Cluster, Files, config, deployment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.api.objects import Object


class World:
    """A registry and an engine with one Application."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.registry = Registry(MemoryStore(), clock=self.clock, entropy=SeededEntropy())
        self.files = Files()

    @contextlib.asynccontextmanager
    async def running(self, **policy: Any) -> AsyncIterator[World]:
        await self.registry.start()
        namespace: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default"},
        }
        await self.registry.create(namespace)
        self.cache = InformerCache(self.registry, KINDS, clock=self.clock)
        events = EventWriter(self.registry, self.clock)
        engine = Engine(
            self.registry, self.cache, clock=self.clock, entropy=SeededEntropy(),
            recorder=Recorder(events, "test"), source_for=lambda _: self.files,
        )  # fmt: skip
        tasks = [asyncio.create_task(run()) for run in (self.cache.run, engine.run)]
        sync = {"automated": {"prune": True, "selfHeal": True, **policy}}
        app: Object = {
            "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "app"},
            "spec": {"source": {"directory": {"path": "/unused"}}, "syncPolicy": sync},
        }  # fmt: skip
        await self.registry.apply(app, field_manager="test")
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.registry.close()

    async def settle(self) -> None:
        await self.clock.sleep(30)

    async def names(self) -> list[str]:
        return [o["metadata"]["name"] for o in (await self.registry.list(kinds.CONFIG_MAP)).items]

    async def status(self) -> dict[str, Any]:
        found = await self.registry.get(kinds.APPLICATION, "app")
        return dict(found.get("status") or {})


def test_files_become_objects_and_only_what_changed_is_written() -> None:
    async def story() -> None:
        async with World().running() as world:
            world.files.write(a=config("a"), b=config("b"))
            await world.settle()
            assert await world.names() == ["a", "b"]
            assert (await world.status())["sync"]["status"] == "Synced"
            before = {o["metadata"]["name"]: o["metadata"]["resourceVersion"]
                      for o in (await world.registry.list(kinds.CONFIG_MAP)).items}  # fmt: skip
            revision = world.registry.revision
            await world.clock.sleep(3600)
            assert world.registry.revision == revision, (
                "an hour in which nothing happened was written about"
            )
            world.files.write(a=config("a"), b=config("b", "2"))
            await world.settle()
            after = {o["metadata"]["name"]: o["metadata"]["resourceVersion"]
                     for o in (await world.registry.list(kinds.CONFIG_MAP)).items}  # fmt: skip
            assert after["a"] == before["a"]
            assert after["b"] != before["b"]

    run_virtual(story())


def test_what_nobody_asks_for_is_pruned_but_never_for_an_empty_or_broken_source() -> None:
    async def story() -> None:
        kept = ", annotations: {reconciler.dev/prune: disabled}"
        async with World().running() as world:
            world.files.write(a=config("a"), b=config("b"), c=config("c", extra=kept))
            await world.settle()
            world.files.write(a=config("a"), b="data: [")
            await world.settle()
            assert await world.names() == ["a", "b", "c"]
            status = await world.status()
            assert "b.yaml:2:1: error" in status["conditions"][0]["message"]
            assert status["sync"]["status"] == "OutOfSync"
            world.files.write()
            await world.settle()
            assert await world.names() == ["a", "b", "c"]
            world.files.missing = True
            world.files.write()
            await world.settle()
            assert await world.names() == ["a", "b", "c"]
            assert (await world.status())["conditions"][0]["type"] == "SourceError"
            world.files.missing = False
            world.files.write(a=config("a"))
            await world.clock.sleep(300)
            assert await world.names() == ["a", "c"]
            assert not (await world.status()).get("conditions")

    run_virtual(story())


def test_what_a_comment_ignores_holds_no_sync_up() -> None:
    async def story() -> None:
        async with World().running() as world:
            twice = config("a") + "data: {value: '2'}"
            world.files.write(a=twice)
            await world.settle()
            assert await world.names() == []
            world.files.write(
                a=f"{twice}  # reconciler: ignore=syntax/duplicate-key made by a tool\n"
            )
            await world.settle()
            assert await world.names() == ["a"]

    run_virtual(story())


def test_drift_is_put_back_and_what_others_own_is_left_alone() -> None:
    async def story() -> None:
        async with World().running() as world:
            world.files.write(a=config("a"))
            await world.settle()
            await world.registry.patch(
                kinds.CONFIG_MAP,
                "a",
                "default",
                {"data": {"value": "9", "theirs": "x"}},
                field_manager="hand",
            )
            await world.settle()
            found = await world.registry.get(kinds.CONFIG_MAP, "a", "default")
            assert found["data"] == {"value": "1", "theirs": "x"}
            await world.registry.delete(kinds.CONFIG_MAP, "a", "default")
            await world.settle()
            assert await world.names() == ["a"]

    run_virtual(story())


def test_without_self_heal_drift_is_only_told() -> None:
    async def story() -> None:
        async with World().running(selfHeal=False) as world:
            world.files.write(a=config("a"))
            await world.settle()
            await world.registry.patch(
                kinds.CONFIG_MAP, "a", "default", {"data": {"value": "9"}}, field_manager="hand"
            )
            await world.settle()
            found = await world.registry.get(kinds.CONFIG_MAP, "a", "default")
            assert found["data"] == {"value": "9"}
            assert (await world.status())["sync"]["status"] == "OutOfSync"
            request = {"metadata": {"annotations": {"reconciler.dev/sync-requested-at": "now"}}}
            await world.registry.patch(kinds.APPLICATION, "app", "", request)
            await world.settle()
            found = await world.registry.get(kinds.CONFIG_MAP, "a", "default")
            assert found["data"] == {"value": "1"}

    run_virtual(story())


def test_an_object_of_a_type_that_nobody_here_knows_is_seen_and_judged_by_its_conditions() -> None:
    async def story() -> None:
        async with World().running() as world:
            widget = (
                "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 1}\n"
            )
            world.files.write(a=config("a"), w=widget)
            await world.settle()
            status = await world.status()
            assert status["health"] == {"status": "Healthy"}
            assert [r["status"] for r in status["resources"]] == ["Synced", "Synced"]

    run_virtual(story())


def test_a_sync_that_waits_looks_at_its_objects_only_when_one_has_moved() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            after = ", annotations: {reconciler.dev/sync-wave: '1'}"
            cluster.source("app").write(web=deployment("web"), after=config("after", extra=after))
            await cluster.application()
            await cluster.settle(10)
            get, asked = cluster.registry.get, []

            async def counted(kind: kinds.Kind, *which: Any, **more: Any) -> Object:
                asked.append(kind)
                return await get(kind, *which, **more)

            cluster.registry.get = counted  # type: ignore[method-assign]
            await cluster.settle(60)
            assert kinds.APPLICATION not in asked, "nothing moved"
            cluster.registry.get = get  # type: ignore[method-assign]
            await cluster.set_health("web", available=False)
            await cluster.settle(2)
            (row,) = [r for r in (await cluster.status())["resources"] if r["name"] == "web"]
            assert row["health"]["status"] == "Progressing"
            assert "after" not in await cluster.values()
            await cluster.set_health("web", available=True)
            web = await get(kinds.DEPLOYMENT, "web", "default")
            done = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
            web["status"]["conditions"] = [done, {"type": "Available", "status": "True"}]
            await cluster.registry.update(web, subresource="status")
            await cluster.settle(2)
            assert "after" in await cluster.values()

    run_virtual(story())
