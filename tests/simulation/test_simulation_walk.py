"""Walking a plan over a real registry, under virtual time; the test plays the controllers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.objects import Key, Object, copy
from reconciler.clock import LoopClock, SeededEntropy, run_virtual
from reconciler.errors import NotFound
from reconciler.gitops.apply import Applied, Result, apply
from reconciler.gitops.plan import Change, plan
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def deployment(name: str, after: str = "", wave: str = "0") -> Object:
    labels = {"app": name}
    annotations = {"reconciler.dev/sync-wave": wave}
    if after:
        annotations["reconciler.dev/depends-on"] = f"apps/v1/Deployment/default/{after}"
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
        },
    }  # fmt: skip


def config(name: str, annotations: dict[str, str] | None = None) -> Object:
    meta = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}


def job(name: str, when: str, policy: str = "") -> Object:
    annotations = {"reconciler.dev/hook": when}
    if policy:
        annotations["reconciler.dev/hook-delete-policy"] = policy
    spec = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"template": {"spec": spec}},
    }  # fmt: skip


class World:
    """A registry, a plan walked over it, and when what was applied."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.registry = Registry(MemoryStore(), clock=self.clock, entropy=SeededEntropy())
        self.interrupted = asyncio.Event()
        self.results: dict[str, Result] = {}
        self.at: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        await self.registry.start()
        await self.registry.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        )
        self.started = self.clock.monotonic()
        yield self
        await self.registry.close()

    async def live(self, key: Key) -> Object | None:
        kind = kinds.lookup(key.group, key.kind)
        assert kind is not None
        try:
            return await self.registry.get(kind, key.name, key.namespace)
        except NotFound:
            return None

    async def sync(
        self, *objects: Object, prune: tuple[Object, ...] = (), seconds: float = 60
    ) -> Applied:
        def change(obj: Object) -> Change:
            is_hook = "reconciler.dev/hook" in obj["metadata"]["annotations"]
            return Change("hook" if is_hook else "create", Key.of(obj), obj)

        def told(result: Result) -> None:
            self.results[result.change.key.name] = result
            self.at[result.change.key.name] = round(self.clock.monotonic() - self.started)

        async def waiting() -> None:
            pass

        changes = [change(o) for o in objects] + [
            Change("prune", Key.of(o), None, live=o) for o in prune
        ]
        return await apply(
            plan(changes), self.registry, manager="test", live=self.live, clock=self.clock,
            deadline=self.clock.monotonic() + seconds, interrupted=self.interrupted, applied=told, waiting=waiting,
        )  # fmt: skip

    async def play(self, kind: kinds.Kind, name: str, after: float, status: dict[str, Any]) -> None:
        """Write an object's status so many seconds after it appeared."""
        while True:
            with contextlib.suppress(NotFound):
                await self.registry.get(kind, name, "default")
                break
            await self.clock.sleep(0.1)
        await self.clock.sleep(after)
        found = copy(await self.registry.get(kind, name, "default"))
        await self.registry.update({**found, "status": status}, subresource="status")

    async def becomes_ready(self, name: str, after: float) -> None:
        status = {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }  # fmt: skip
        await self.play(kinds.DEPLOYMENT, name, after, status)

    async def gives_up(self, name: str, after: float) -> None:
        why = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "no image",
        }
        await self.play(
            kinds.DEPLOYMENT, name, after, {"observedGeneration": 1, "conditions": [why]}
        )

    async def job_ends(self, name: str, condition: str, after: float) -> None:
        kind = kinds.lookup("batch", "Job")
        assert kind is not None
        ended = {"type": condition, "status": "True", "reason": "Test", "message": "exit code 3"}
        await self.play(kind, name, after, {"conditions": [ended]})


def test_a_node_starts_when_its_own_predecessors_are_ready_and_not_when_a_stage_ends() -> None:
    async def story() -> None:
        async with World().running() as world:
            await asyncio.gather(
                world.sync(deployment("quick"), deployment("slow"), deployment("web", after="quick"),
                           deployment("report", after="slow")),
                world.becomes_ready("quick", 5), world.becomes_ready("slow", 40),
            )  # fmt: skip
            assert world.at == {"quick": 0, "slow": 0, "web": 5, "report": 40}

    run_virtual(story())


def test_a_failure_holds_up_only_what_comes_after_it_and_is_named() -> None:
    async def story() -> None:
        async with World().running() as world:
            done, *_ = await asyncio.gather(
                world.sync(deployment("db"), deployment("web", after="db"), deployment("report", after="web"),
                           deployment("other"), deployment("last", after="other"), prune=(config("old"),)),
                world.gives_up("db", 5), world.becomes_ready("other", 10),
            )  # fmt: skip
            why = "not started: Deployment.apps/default/db: the rollout exceeded its progress deadline: no image"
            assert [world.results[n].error for n in ("db", "web", "report", "other", "last")] == [
                "",
                why,
                why,
                "",
                "",
            ]
            assert world.at["last"] == 10
            assert world.results["old"].error == why
            assert [r.started for r in done.results if r.error] == [False] * 3

    run_virtual(story())


def test_an_object_that_is_refused_blocks_its_dependants_with_the_servers_words() -> None:
    async def story() -> None:
        async with World().running() as world:
            bad = deployment("db")
            bad["spec"]["selector"] = {"matchLabels": {"app": "else"}}
            await world.sync(bad, deployment("web", after="db"), config("settings"))
            assert world.results["db"].started
            assert world.results["web"].error.startswith(
                "not started: Deployment.apps/default/db failed: "
            )
            assert not world.results["settings"].error

    run_virtual(story())


def test_a_wave_waits_for_the_health_of_the_one_before() -> None:
    async def story() -> None:
        async with World().running() as world:
            await asyncio.gather(
                world.sync(deployment("a", wave="-1"), deployment("b"), config("c", {"reconciler.dev/sync-wave": "1"})),
                world.becomes_ready("a", 5), world.becomes_ready("b", 7),
            )  # fmt: skip
            assert world.at == {"a": 0, "b": 5, "c": 12}

    run_virtual(story())


def test_when_time_runs_out_the_culprit_is_named() -> None:
    async def story() -> None:
        async with World().running() as world:
            done = await world.sync(deployment("db"), deployment("web", after="db"), seconds=30)
            assert world.results["web"].error == (
                "not started: Deployment.apps/default/db: 0 of 1 replicas exist "
                "(the sync has run out of time)"
            )
            assert world.at["web"] == 30
            assert not done.interrupted

    run_virtual(story())


def test_a_new_revision_interrupts_a_stuck_wait_and_starts_nothing_more() -> None:
    async def story() -> None:
        async with World().running() as world:
            asyncio.get_running_loop().call_later(3, world.interrupted.set)
            done = await world.sync(
                deployment("db"), deployment("web", after="db"), prune=(config("old"),)
            )
            assert done.interrupted
            assert world.clock.monotonic() - world.started < 4
            assert "a newer revision is there" in world.results["web"].error
            assert not world.results["old"].started

    run_virtual(story())


def test_prunes_wait_for_the_rest_and_take_what_was_asked() -> None:
    async def story() -> None:
        async with World().running() as world:
            old = await world.registry.create(config("old"))
            await asyncio.gather(
                world.sync(deployment("web"), prune=(old,)), world.becomes_ready("web", 9)
            )
            assert world.at["old"] == 9
            assert await world.live(Key.of(old)) is None

    run_virtual(story())


def test_an_object_made_again_by_somebody_else_is_not_pruned() -> None:
    async def story() -> None:
        async with World().running() as world:
            old = await world.registry.create(config("old"))
            await world.registry.delete(kinds.CONFIG_MAP, "old", "default")
            await world.registry.create(config("old"))
            await world.sync(prune=(old,))
            assert world.results["old"].error
            assert await world.live(Key.of(old)) is not None

    run_virtual(story())


def test_hooks_run_around_the_sync() -> None:
    async def story() -> None:
        async with World().running() as world:
            await asyncio.gather(
                world.sync(job("migrate", "PreSync"), deployment("web"), job("announce", "PostSync"),
                           job("alarm", "SyncFail")),
                world.job_ends("migrate", "Complete", 4), world.becomes_ready("web", 5),
                world.job_ends("announce", "Complete", 2),
            )  # fmt: skip
            assert [world.results[n].error for n in ("migrate", "web", "announce")] == ["", "", ""]
            assert (world.at["migrate"], world.at["web"]) == (4, 4)
            assert 11 <= world.at["announce"] <= 12
            assert "alarm" not in world.results
            assert await world.live(Key("batch", "Job", "default", "migrate")) is not None

    run_virtual(story())


def test_a_failed_presync_stops_the_sync_and_runs_what_is_meant_for_failures() -> None:
    async def story() -> None:
        async with World().running() as world:
            await asyncio.gather(
                world.sync(job("migrate", "PreSync", "HookFailed"), deployment("web"), job("alarm", "SyncFail")),
                world.job_ends("migrate", "Failed", 4), world.job_ends("alarm", "Complete", 1),
            )  # fmt: skip
            assert world.results["migrate"].error == "exit code 3"
            assert (
                world.results["web"].error
                == "not started: Job.batch/default/migrate failed: exit code 3"
            )
            assert await world.live(Key("apps", "Deployment", "default", "web")) is None
            assert not world.results["alarm"].error
            assert await world.live(Key("batch", "Job", "default", "migrate")) is None

    run_virtual(story())


def test_the_hook_of_an_earlier_sync_makes_way_or_is_told() -> None:
    async def story() -> None:
        async with World().running() as world:
            hook = job("migrate", "PreSync")
            key = Key.of(hook)
            await asyncio.gather(world.sync(hook), world.job_ends("migrate", "Complete", 1))
            first = await world.live(key)
            await asyncio.gather(world.sync(hook), world.job_ends("migrate", "Complete", 1))
            second = await world.live(key)
            assert first is not None
            assert second is not None
            assert first["metadata"]["uid"] != second["metadata"]["uid"]
            await world.sync(job("migrate", "PreSync", "HookSucceeded"))
            assert world.results["migrate"].error.startswith(
                "one of an earlier sync is still there: delete Job"
            )
            assert await world.live(key) is not None

    run_virtual(story())


def test_a_hook_takes_the_place_of_nothing_that_it_did_not_make() -> None:
    async def story() -> None:
        async with World().running() as world:
            hook = job("migrate", "PreSync")
            theirs = await world.registry.apply(job("migrate", "Skip"), field_manager="somebody")
            await world.sync(hook, deployment("web"))
            assert world.results["migrate"].error == (
                "Job.batch/default/migrate is there already, and no hook of an earlier sync"
            )
            live = await world.live(Key.of(hook))
            assert live is not None
            assert live["metadata"]["uid"] == theirs["metadata"]["uid"]

    run_virtual(story())


def test_a_hook_that_holds_data_is_never_deleted() -> None:
    async def story() -> None:
        async with World().running() as world:
            claim: Object = {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data", "namespace": "default", "annotations": {
                    "reconciler.dev/hook": "PreSync",
                    "reconciler.dev/hook-delete-policy": "BeforeHookCreation,HookSucceeded"}},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }  # fmt: skip
            uids = set()
            for _ in range(2):
                await world.sync(claim)
                assert not world.results["data"].error
                live = await world.live(Key.of(claim))
                assert live is not None
                uids.add(live["metadata"]["uid"])
            assert len(uids) == 1

    run_virtual(story())


def test_a_hook_that_succeeded_goes_where_its_policy_says_so() -> None:
    async def story() -> None:
        async with World().running() as world:
            hook = job("migrate", "PreSync", "HookSucceeded")
            await asyncio.gather(world.sync(hook), world.job_ends("migrate", "Complete", 1))
            assert not world.results["migrate"].error
            assert await world.live(Key.of(hook)) is None

    run_virtual(story())


def test_a_hook_that_never_ends_ends_with_the_deadline() -> None:
    async def story() -> None:
        async with World().running() as world:
            await world.sync(job("migrate", "PreSync"), deployment("web"), seconds=20)
            assert (
                world.results["migrate"].error
                == "its Job has not completed (the sync has run out of time)"
            )
            assert world.at["migrate"] == 20
            assert not world.results["web"].started

    run_virtual(story())
