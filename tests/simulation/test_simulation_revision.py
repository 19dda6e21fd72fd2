"""`sync --revision` and `sync --dry-run`: another revision for once, and what a sync would do. Under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.api.requests import PlanRequest
from reconciler.clock import run_virtual
from reconciler.errors import Invalid
from tests.simulation.applications import Cluster, config

if TYPE_CHECKING:
    from reconciler.gitops.history import Record

CLOSED = [{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "manualSync": False}]


async def with_tag(cluster: Cluster) -> None:
    """Sync ``a: 2``; the source has a tag ``v1`` with ``a: 1`` and ``b``."""
    source = cluster.source("app")
    source.write(a=config("a", "2"))
    source.keep("v1", a=config("a", "1"), b=config("b"))
    await cluster.application()
    await cluster.settle()


def records(cluster: Cluster) -> list[Record]:
    return cluster.history.records("app")


def test_another_revision_is_synced_once_and_held_until_the_source_changes() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            followed = (await cluster.status())["sync"]["revision"]
            assert (await cluster.ask(sync_revision="v1"))["accepted"]
            assert await cluster.values() == {"a": "1", "b": "1"}
            told = (await cluster.conditions())["RevisionPinned"]
            assert "(v1)" in told
            assert "by ada" in told
            assert followed in told
            assert await cluster.sync() == "OutOfSync"
            last = records(cluster)[-1]
            assert (last.trigger, last.by, last.result) == ("revision", "ada", "Succeeded")
            # It is held as any revision: against drift, and over a restart.
            await cluster.edit("a", "9")
            await cluster.settle(3600)
            await cluster.restart()
            assert await cluster.values() == {"a": "1", "b": "1"}
            assert (await cluster.status())["sync"]["revision"] == last.revision
            cluster.source("app").write(a=config("a", "3"))
            await cluster.settle()
            assert await cluster.values() == {"a": "3"}
            assert not await cluster.conditions()
            assert await cluster.sync() == "Synced"

    run_virtual(story())


def test_a_plain_sync_ends_it() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            await cluster.ask(sync_revision="v1")
            # As the command does: what was asked for before is taken out.
            assert (await cluster.ask(sync_revision=""))["accepted"]
            assert await cluster.values() == {"a": "2"}
            assert await cluster.sync() == "Synced"

    run_virtual(story())


def test_a_revision_that_is_not_there_or_cannot_be_used_is_refused_and_nothing_is_touched() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            cluster.source("app").keep("broken", a="kind: [")
            for name, why in (("nope", "no branch or tag nope"), ("broken", "broken|a.yaml")):
                answer = await cluster.ask(sync_revision=name)
                assert not answer["accepted"]
                assert answer["invalid"]
                assert any(word in answer["message"] for word in why.split("|"))
            assert await cluster.values() == {"a": "2"}
            assert await cluster.sync() == "Synced"
            assert not await cluster.conditions()

    run_virtual(story())


def test_what_a_window_forbids_leaves_in_force_what_was() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            cluster.source("app").keep("v0", a=config("a", "0"))
            await cluster.ask(sync_revision="v1")
            await cluster.application(windows=CLOSED)
            await cluster.settle()
            for asked in ("v0", ""):
                answer = await cluster.ask(sync_revision=asked)
                assert not answer["accepted"]
                assert "override-windows" in answer["message"]
                assert "(v1)" in (await cluster.conditions())["RevisionPinned"]
            assert await cluster.values() == {"a": "1", "b": "1"}
            answer = await cluster.ask(sync_revision="v0", sync_options="OverrideWindows")
            assert answer["accepted"]
            assert await cluster.values() == {"a": "0"}

    run_virtual(story())


def test_another_revision_can_be_synced_while_the_source_s_own_cannot_be_used() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            cluster.source("app").write(a="kind: [")
            await cluster.settle()
            assert (await cluster.ask(sync_revision="v1"))["accepted"]
            assert await cluster.values() == {"a": "1", "b": "1"}
            cluster.source("app").write(a=config("a", "3"))
            await cluster.settle(300)
            assert await cluster.values() == {"a": "3"}

    run_virtual(story())


def test_a_dry_run_shows_what_a_sync_would_do_and_changes_nothing() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            before = await cluster.status()
            plan = await cluster.engine.plan("app", PlanRequest(fresh=True, revision="v1"))
            assert [(c["action"], c["name"]) for c in plan["changes"]] == [
                ("update", "a"),
                ("create", "b"),
            ]
            assert (await cluster.engine.plan("app", PlanRequest(fresh=True)))["changes"] == []
            with pytest.raises(Invalid, match="no branch or tag nope"):
                await cluster.engine.plan("app", PlanRequest(fresh=True, revision="nope"))
            await cluster.settle()
            assert await cluster.values() == {"a": "2"}
            assert await cluster.status() == before

    run_virtual(story())


def test_a_dry_run_sees_what_a_confirmation_would_let_go() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await with_tag(cluster)
            await cluster.application(automated={"selfHeal": True})
            cluster.source("app").write(c=config("c"))
            await cluster.settle()
            digest = (await cluster.status())["prune"]["digest"]
            held = await cluster.engine.plan("app", PlanRequest(fresh=True))
            assert [h["object"] for h in held["held"]] == ["ConfigMap/default/a"]
            plan = await cluster.engine.plan("app", PlanRequest(fresh=True, confirm=digest))
            assert [(c["action"], c["name"]) for c in plan["changes"]] == [("prune", "a")]
            assert set(await cluster.values()) == {"a", "c"}

    run_virtual(story())


def test_a_plan_request_survives_a_url() -> None:
    for asked in (
        PlanRequest(),
        PlanRequest(fresh=True, asked=True, revision="v1 +&", confirm="c", adopt=True),
    ):
        assert PlanRequest.from_query(asked.to_query()) == asked


def test_a_sync_that_has_nothing_to_do_is_in_the_history_with_who_asked() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"))
            await cluster.application()
            await cluster.settle()
            before = len(records(cluster))
            assert (await cluster.ask())["accepted"]
            last = records(cluster)[-1]
            assert len(records(cluster)) == before + 1
            assert (last.trigger, last.by, last.result) == ("user", "ada", "Succeeded")
            assert last.message == "nothing to do"
            assert not last.objects
            await cluster.settle(3600)
            assert len(records(cluster)) == before + 1

    run_virtual(story())
