"""Guards of an Application under virtual time: pruning, ownership, adoption."""

from __future__ import annotations

import pytest

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.gitops.engine import OutcomeKind
from reconciler.gitops.engine.deletion import FINALIZER, TAKEN_DOWN
from tests.simulation.applications import Cluster, config

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def many(count: int, value: str = "1") -> dict[str, str]:
    return {f"c{i}": config(f"c{i}", value) for i in range(count)}


def test_beyond_the_limit_nothing_is_pruned_until_just_that_is_confirmed() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(**many(10))
            await cluster.application(pruneLimit={"count": 3})
            await cluster.settle()
            cluster.source("app").write(**many(5, "2"))
            await cluster.settle()
            values = await cluster.values()
            assert len(values) == 10, "evaluated before the first delete"
            assert values["c0"] == "2", "the rest of the revision is applied"
            status = await cluster.status()
            assert "pruneLimit.count is 3" in (await cluster.conditions())["PruneHeld"]
            assert status["sync"]["status"] == "OutOfSync"
            digest = status["prune"]["digest"]
            # Somebody confirms what was shown, but meanwhile one more object is to go.
            cluster.source("app").write(**many(4, "2"))
            await cluster.ask(confirm_prune=digest)
            assert len(await cluster.values()) == 10
            digest = (await cluster.status())["prune"]["digest"]
            assert (await cluster.ask(confirm_prune=digest))["accepted"]
            assert len(await cluster.values()) == 4
            assert await cluster.sync() == "Synced"
            assert "prune" not in await cluster.status()
            assert [o.kind for o in cluster.outcomes].count(OutcomeKind.HELD) == 2

    run_virtual(story())


def test_data_is_pruned_only_when_confirmed() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"), b=config("b"), data=CLAIM)
            await cluster.application()
            await cluster.settle()
            cluster.source("app").write(a=config("a"))
            await cluster.settle()
            assert await cluster.values() == {"a": "1"}
            assert len((await cluster.registry.list(kinds.PERSISTENT_VOLUME_CLAIM)).items) == 1
            await cluster.restart()
            digest = (await cluster.status())["prune"]["digest"]
            await cluster.ask(confirm_prune=digest)
            found = await cluster.registry.get(kinds.PERSISTENT_VOLUME_CLAIM, "data", "default")
            assert found["metadata"]["deletionTimestamp"]

    run_virtual(story())


def test_an_empty_render_never_prunes_whatever_is_confirmed() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(**many(3))
            await cluster.application()
            await cluster.settle()
            cluster.source("app").write()
            await cluster.settle()
            await cluster.ask(
                confirm_prune=str((await cluster.status()).get("prune", {}).get("digest"))
            )
            assert len(await cluster.values()) == 3
            assert "empty render" in (await cluster.conditions())["PruneHeld"]

    run_virtual(story())


def test_two_applications_never_fight_over_an_object_and_the_second_gets_it_when_the_first_lets_go() -> (
    None
):
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("first").write(a=config("a", "first"), b=config("b"))
            await cluster.application("first")
            await cluster.settle()
            cluster.source("second").write(a=config("a", "second"), c=config("c"))
            await cluster.application("second")
            await cluster.settle()
            assert await cluster.values() == {"a": "first", "b": "1", "c": "1"}
            told = (await cluster.conditions("second"))["SharedResource"]
            assert "first" in told
            assert "second" in told
            assert await cluster.sync("second") == "OutOfSync"
            assert await cluster.sync("first") == "Synced"
            await cluster.restart()
            assert (await cluster.values())["a"] == "first"
            uid = (await cluster.registry.get(kinds.CONFIG_MAP, "a", "default"))["metadata"]["uid"]
            cluster.source("first").write(b=config("b"))
            await cluster.settle()
            found = await cluster.registry.get(kinds.CONFIG_MAP, "a", "default")
            assert found["data"]["value"] == "second"
            assert found["metadata"]["uid"] == uid, "handed on, not deleted and made again"
            assert await cluster.sync("second") == "Synced"

    run_virtual(story())


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
@pytest.mark.parametrize("wait", [0.0, 30.0])
def test_what_two_applications_declare_goes_when_both_are_taken_down(
    order: tuple[str, str], wait: float
) -> None:
    """`down` tells all before the first one goes, however long the next one takes."""

    async def story() -> None:
        async with Cluster().running() as cluster:
            for name in ("first", "second"):
                cluster.source(name).write(a=config("a"), b=config(name))
                await cluster.application(name)
                await cluster.settle()
            told = {"finalizers": [FINALIZER], "annotations": {TAKEN_DOWN: "true"}}
            for name in order:
                await cluster.registry.patch(kinds.APPLICATION, name, "", {"metadata": told})
            for name in order:
                await cluster.registry.delete(kinds.APPLICATION, name)
                await cluster.settle(wait)
            await cluster.settle()
            assert not (await cluster.registry.list(kinds.APPLICATION)).items
            assert not await cluster.values()

    run_virtual(story())


def test_applications_of_one_namespace_share_it_whichever_makes_it_and_after_a_rollback() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            there = {"destination": {"namespace": "common"}}
            for name in ("first", "second"):
                cluster.source(name).write(a=config(name))
                await cluster.application(name, spec_destination=there["destination"])
            await cluster.settle()
            for value in ("2", "3"):
                cluster.source("second").write(a=config("second", value))
                await cluster.settle()
            await cluster.ask("second", "rollback", rollback_to="1")
            for name in ("first", "second"):
                assert "SharedResource" not in await cluster.conditions(name)
            assert await cluster.values() == {"first": "1", "second": "1"}
            assert await cluster.sync("first") == "Synced"

    run_virtual(story())


def test_who_needs_a_namespace_makes_it_though_another_that_waits_wanted_it_first() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            there = {"namespace": "common"}
            waits = {"spec_destination": there, "spec_dependsOn": [{"name": "second"}]}
            cluster.source("first").write(a=config("first"))
            await cluster.application("first", **waits)
            await cluster.settle()
            cluster.source("second").write(a=config("second"))
            await cluster.application("second", spec_destination=there)
            await cluster.settle()
            assert await cluster.values() == {"first": "1", "second": "1"}
            for name in ("first", "second"):
                assert not await cluster.conditions(name)
                assert await cluster.sync(name) == "Synced"

    run_virtual(story())


def test_what_exists_already_is_taken_over_only_when_told_to() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            for name in ("a", "b", "c"):
                await cluster.registry.create(
                    {"apiVersion": "v1", "kind": "ConfigMap",
                     "metadata": {"name": name, "namespace": "default"}, "data": {"value": "theirs"}}
                )  # fmt: skip
            marked = ", annotations: {reconciler.dev/adopt: 'true'}"
            cluster.source("app").write(a=config("a"), b=config("b", extra=marked), d=config("d"))
            await cluster.application()
            await cluster.settle()
            assert await cluster.values() == {"a": "theirs", "b": "1", "c": "theirs", "d": "1"}
            assert (
                "ConfigMap/default/a exists already"
                in (await cluster.conditions())["AdoptionRefused"]
            )
            await cluster.ask(sync_options="Adopt")
            assert (await cluster.values())["a"] == "1"
            assert await cluster.sync() == "Synced"
            assert not await cluster.conditions()

    run_virtual(story())


def test_a_namespace_that_somebody_else_made_is_shared_and_stays() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            for app in ("one", "two"):
                cluster.source(app).write(a=config(f"{app}-a"))
                await cluster.application(app, spec_destination={"namespace": "shop"})
            await cluster.settle()
            assert await cluster.sync("one") == "Synced"
            assert await cluster.sync("two") == "Synced"
            space = await cluster.registry.get(kinds.NAMESPACE, "shop")
            assert "annotations" not in space["metadata"]

    run_virtual(story())
