"""History, rollback and rollbackOnFailure under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.errors import Forbidden
from reconciler.gitops.engine import OutcomeKind
from reconciler.gitops.history import HistoryError, MemoryHistory
from reconciler.gitops.source import Commit
from tests.simulation.applications import REFUSED, Cluster, config, deployment, refuse

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.history import Record


def commit(author: str, message: str) -> Commit:
    return Commit("c0ffee", author, f"{author}@example.org", 1_700_000_000, message, "main", "")


class Closing(MemoryHistory):
    """A history that nobody may read while it ``is_closed``; writing is allowed."""

    is_closed = False

    def records(self, app: str) -> list[Record]:
        if self.is_closed:
            raise HistoryError("Permission denied")
        return super().records(app)


async def three_revisions(cluster: Cluster) -> list[Record]:
    """Sync three revisions, the third without ``b``, and return their records."""
    source = cluster.source("app")
    source.commit = commit("Ada", "Begin\n\nwith two")
    source.write(a=config("a", "1"), b=config("b"))
    await cluster.application()
    await cluster.settle()
    source.commit = commit("Grace", "Change a")
    source.write(a=config("a", "2"), b=config("b"))
    await cluster.settle()
    source.write(a=config("a", "3"))
    await cluster.settle()
    return cluster.history.records("app")


def test_each_sync_is_recorded_with_who_what_and_how_long() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            first, second, third = await three_revisions(cluster)
            assert (first.author, first.title, first.trigger) == ("Ada", "Begin", "source")
            assert (first.result, first.health) == ("Succeeded", "Healthy")
            assert first.plan == {"create": 2}
            assert [(o.kind, o.name, o.action, o.result) for o in second.objects] == [
                ("ConfigMap", "a", "update", "Succeeded")
            ]
            assert second.author == "Grace"
            assert third.plan == {"update": 1, "prune": 1}
            await cluster.edit("a", "9")
            await cluster.settle()
            await cluster.ask()
            await cluster.edit("a", "8")
            await cluster.application(automated=None)
            await cluster.settle()
            await cluster.ask()
            records = cluster.history.records("app")
            assert [r.trigger for r in records[3:]] == ["drift", "user", "user"]
            assert records[-1].by == "ada"
            assert records[-1].set == third.set, "what is unchanged is kept once"
            shown = (await cluster.status())["history"]
            assert [h["id"] for h in shown] == [r.id for r in records]
            await cluster.restart()
            assert cluster.history.records("app") == records

    run_virtual(story())


def test_records_are_kept_by_count_and_the_last_healthy_one_always() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"))
            await cluster.application(spec_history={"limit": 3})
            await cluster.settle()
            for number in range(6):
                await cluster.edit("a", f"by hand {number}")
                await cluster.settle()
            assert [r.id for r in cluster.history.records("app")] == [5, 6, 7]
            await cluster.registry.delete(kinds.APPLICATION, "app")
            await cluster.settle()
            assert cluster.history.records("app") == [], "they go with the Application"

    run_virtual(story())


def test_a_history_that_cannot_be_read_for_a_while_holds_up_no_sync_and_loses_nothing() -> None:
    """A restart comes upon it: what is there is not known then, and not replaced either."""

    async def story() -> None:
        cluster = Cluster()
        cluster.history = history = Closing()
        async with cluster.running():
            before = await three_revisions(cluster)
            history.is_closed = True
            await cluster.restart()
            cluster.source("app").write(a=config("a", "4"))
            await cluster.settle()
            assert await cluster.values() == {"a": "4"}
            assert await cluster.sync() == "Synced"
            history.is_closed = False
            cluster.source("app").write(a=config("a", "5"))
            await cluster.settle()
            *kept, last = history.records("app")
            assert kept == before
            assert (last.id, last.result) == (5, "Succeeded")

    run_virtual(story())


def test_a_rollback_holds_against_automated_sync_until_the_source_changes() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            first, _, third = await three_revisions(cluster)
            assert (await cluster.ask(what="rollback", rollback_to=str(first.id)))["accepted"]
            assert await cluster.values() == {"a": "1", "b": "1"}
            status = await cluster.status()
            assert status["sync"]["status"] == "OutOfSync"
            assert status["sync"]["revision"] == first.revision
            assert third.revision in (await cluster.conditions())["RolledBack"]
            # What was rolled back to is held, too: also over a restart and against drift.
            await cluster.edit("a", "9")
            await cluster.settle(3600)
            await cluster.restart()
            assert await cluster.values() == {"a": "1", "b": "1"}
            assert [o.kind for o in cluster.outcomes].count(OutcomeKind.ROLLED_BACK) == 1
            # A commit that changes nothing of ours is no change: what was rolled back must not come again by it.
            cluster.source("app").write(a=config("a", "3") + "# elsewhere\n")
            await cluster.settle()
            await cluster.restart()
            assert await cluster.values() == {"a": "1", "b": "1"}
            assert third.revision not in (await cluster.conditions())["RolledBack"]
            cluster.source("app").write(a=config("a", "4"))
            await cluster.settle()
            assert await cluster.values() == {"a": "4"}
            assert not await cluster.conditions()
            assert await cluster.sync() == "Synced"
            triggers = [r.trigger for r in cluster.history.records("app")]
            assert triggers == ["source", "source", "source", "rollback", "drift", "source"]

    run_virtual(story())


def test_a_rollback_without_a_revision_goes_to_the_good_one_before_and_a_sync_ends_it() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await three_revisions(cluster)
            await cluster.ask(what="rollback")
            assert await cluster.values() == {"a": "2", "b": "1"}
            await cluster.ask()
            assert await cluster.values() == {"a": "3"}
            assert await cluster.sync() == "Synced"

    run_virtual(story())


def test_a_rollback_to_what_is_not_recorded_is_refused_and_touches_nothing() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await three_revisions(cluster)
            answer = await cluster.ask(what="rollback", rollback_to="77")
            assert not answer["accepted"]
            assert "'77'" in answer["message"]
            assert await cluster.values() == {"a": "3"}
            assert await cluster.sync() == "Synced"

    run_virtual(story())


def test_a_rollback_works_while_the_source_is_broken() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await three_revisions(cluster)
            cluster.source("app").missing = True
            cluster.source("app").hint()
            await cluster.settle()
            await cluster.ask(what="rollback", rollback_to="1")
            assert await cluster.values() == {"a": "1", "b": "1"}
            assert "SourceError" in await cluster.conditions()

    run_virtual(story())


def test_without_automated_sync_a_rollback_is_applied_once() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a", "1"))
            await cluster.application(automated=None)
            await cluster.ask()
            cluster.source("app").write(a=config("a", "2"))
            await cluster.ask()
            await cluster.ask(what="rollback")
            assert await cluster.values() == {"a": "1"}
            await cluster.edit("a", "9")
            await cluster.settle()
            assert await cluster.values() == {"a": "9"}

    run_virtual(story())


def test_a_revision_that_does_not_become_healthy_is_rolled_back_loudly() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            source = cluster.source("app")
            source.write(web=deployment("web", "app:1"))
            await cluster.application(rollbackOnFailure=True, timeout="2m")
            await cluster.settle(1)
            await cluster.set_health("web", available=True)
            await cluster.settle()
            assert cluster.history.records("app")[-1].health == "Healthy"
            source.write(web=deployment("web", "app:bad"))
            await cluster.settle(1)
            await cluster.set_health("web", available=False)
            await cluster.settle(100)
            found = await cluster.registry.get(kinds.DEPLOYMENT, "web", "default")
            assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:bad"
            await cluster.settle(30)
            found = await cluster.registry.get(kinds.DEPLOYMENT, "web", "default")
            assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"
            await cluster.set_health("web", available=True)
            await cluster.settle()
            told = (await cluster.conditions())["RolledBack"]
            assert "automatically" in told
            assert "Deployment.apps/default/web" in told
            records = cluster.history.records("app")
            assert [(r.trigger, r.health) for r in records] == [
                ("source", "Healthy"), ("source", "Degraded"), ("automatic-rollback", "Healthy"),
            ]  # fmt: skip
            assert "RolledBack" in await cluster.reasons()
            revision = cluster.registry.revision
            await cluster.settle(3600)
            assert cluster.registry.revision == revision
            # The next revision is tried again, and ends the rollback when it is well.
            source.write(web=deployment("web", "app:3"))
            await cluster.settle(1)
            await cluster.set_health("web", available=True)
            await cluster.settle()
            assert await cluster.sync() == "Synced"
            assert not await cluster.conditions()

    run_virtual(story())


def test_a_refused_revision_is_rolled_back_when_it_is_given_up() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            refuse(cluster, Forbidden)
            source = cluster.source("app")
            source.write(a=config("a", "1"))
            await cluster.application(rollbackOnFailure=True, retry={"limit": 1})
            await cluster.settle()
            source.write(a=config("a", "2"), b=REFUSED)
            await cluster.settle()
            assert await cluster.values() == {"a": "1"}
            assert "refused" in (await cluster.conditions())["RolledBack"]

    run_virtual(story())


def test_a_rollback_that_is_not_well_either_does_not_go_on_in_a_circle() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            source = cluster.source("app")
            for image in ("app:1", "app:2"):
                source.write(web=deployment("web", image))
                await cluster.application(rollbackOnFailure=True, timeout="1m")
                await cluster.settle(1)
                await cluster.set_health("web", available=True)
                await cluster.settle()
            source.write(web=deployment("web", "app:3"))
            await cluster.settle(1)
            await cluster.set_health("web", available=False)
            await cluster.settle(3600)
            records = cluster.history.records("app")
            assert [r.trigger for r in records] == [
                "source",
                "source",
                "source",
                "automatic-rollback",
            ]
            assert "not well either" in (await cluster.conditions())["RollbackFailed"]
            await cluster.restart()
            await cluster.settle(3600)
            assert len(cluster.history.records("app")) == 4
            assert "RollbackFailed" in await cluster.conditions()

    run_virtual(story())


def test_with_nothing_healthy_to_go_back_to_that_is_said() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(web=deployment("web"))
            await cluster.application(rollbackOnFailure=True, timeout="1m")
            await cluster.settle(300)
            conditions = await cluster.conditions()
            assert "no healthy revision is recorded" in conditions["RollbackFailed"]
            assert "Deployment.apps/default/web" in conditions["NotHealthy"]
            await cluster.set_health("web", available=True)
            await cluster.settle()
            assert "NotHealthy" not in await cluster.conditions()

    run_virtual(story())


def test_what_a_controller_writes_while_the_engine_looks_is_no_drift() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(web=deployment("web"))
            await cluster.application()
            await cluster.settle()
            apply, annotate = cluster.registry.apply, cluster.registry.patch
            written: list[str] = []

            async def apply_late(obj: Object, **options: Any) -> Object:
                if options.get("dry_run") and not written:
                    written.append("revision")
                    notes = {
                        "metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}
                    }
                    await annotate(kinds.DEPLOYMENT, "web", "default", notes)
                return await apply(obj, **options)

            cluster.registry.apply = apply_late  # type: ignore[method-assign]
            await cluster.set_health("web", available=True)
            await cluster.settle()
            assert written
            assert [r.trigger for r in cluster.history.records("app")] == ["source"]

    run_virtual(story())
