"""When an Application is synced, under virtual time: windows, suspension, dependencies, drift, retries, deadlines."""

from __future__ import annotations

import itertools

from reconciler.api import kinds
from reconciler.clock import rfc3339, run_virtual
from reconciler.errors import Forbidden, Unavailable
from reconciler.gitops.engine import OutcomeKind
from reconciler.gitops.validate import Checks
from tests.simulation.applications import REFUSED, Cluster, config, deployment, refuse


def test_a_closed_window_holds_a_revision_back_until_it_opens_or_somebody_overrides_it() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            # The simulation begins at 2023-11-14T22:13:20Z.
            nights = {"kind": "allow", "schedule": "0 0 * * *", "duration": "1h", "timeZone": "UTC"}
            cluster.source("app").write(a=config("a"))
            await cluster.application(windows=[nights])
            await cluster.settle()
            assert await cluster.values() == {}
            assert "until 2023-11-15T00:00:00Z" in (await cluster.conditions())["SyncWindowClosed"]
            answer = await cluster.ask()
            assert not answer["accepted"]
            assert "--override-windows" in answer["message"]
            await cluster.settle(2 * 3600)
            assert await cluster.values() == {"a": "1"}, "the window has opened"
            assert not await cluster.conditions()
            cluster.source("app").write(a=config("a", "2"))
            await cluster.settle()
            assert (await cluster.ask(sync_options="OverrideWindows"))["accepted"]
            assert await cluster.values() == {"a": "2"}

    run_virtual(story())


def test_a_window_that_cannot_be_used_forbids_everything_and_names_its_field() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"))
            await cluster.application(
                windows=[{"kind": "deny", "schedule": "daily?", "duration": "1h"}]
            )
            await cluster.settle()
            assert await cluster.values() == {}
            assert "windows[0].schedule" in (await cluster.conditions())["InvalidPolicy"]

    run_virtual(story())


def test_a_suspension_ends_by_itself_and_answers_whoever_asks() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"))
            until = rfc3339(cluster.clock.now() + 3600)
            await cluster.application(spec_suspend=True, spec_suspendUntil=until)
            await cluster.settle()
            status = await cluster.status()
            assert status["health"] == {
                "status": "Suspended",
                "message": f"suspended by its spec until {until}",
            }
            answer = await cluster.ask()
            assert not answer["accepted"]
            assert "reconciler resume app" in answer["message"]
            assert await cluster.values() == {}
            await cluster.settle(3600)
            assert await cluster.values() == {"a": "1"}

    run_virtual(story())


def test_an_application_waits_for_those_it_depends_on() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("web").write(a=config("web"))
            await cluster.application("web", spec_dependsOn=[{"name": "db"}])
            await cluster.settle()
            assert (
                "db, which does not exist"
                in (await cluster.conditions("web"))["DependencyNotReady"]
            )
            cluster.source("db").write(a=deployment("db"))
            await cluster.application("db")
            await cluster.settle()
            assert await cluster.values() == {}
            assert (
                "db, which is Progressing"
                in (await cluster.conditions("web"))["DependencyNotReady"]
            )
            await cluster.set_health("db", available=True)
            await cluster.settle(1)
            assert await cluster.values() == {"web": "1"}, "at once, not at the next look"
            # What runs is kept also while the database is not well.
            await cluster.set_health("db", available=False)
            await cluster.edit("web", "9")
            await cluster.settle()
            assert await cluster.values() == {"web": "1"}

    run_virtual(story())


def test_applications_that_wait_for_each_other_say_how() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            for name, needs in (("a", "b"), ("b", "c"), ("c", "a")):
                cluster.source(name).write(a=config(name))
                await cluster.application(name, spec_dependsOn=[{"name": needs}])
            await cluster.settle()
            assert "a → b → c → a" in (await cluster.conditions("a"))["DependencyCycle"]
            await cluster.application("c", spec_dependsOn=[])
            await cluster.settle(60)
            assert await cluster.values() == {"a": "1", "b": "1", "c": "1"}

    run_virtual(story())


def test_warn_reports_drift_and_leaves_it_also_through_a_revision_that_is_about_something_else() -> (
    None
):
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"), b=config("b"))
            await cluster.application(automated={"prune": True, "selfHeal": "warn"})
            await cluster.settle()
            await cluster.edit("a", "9")
            await cluster.settle()
            assert (await cluster.values())["a"] == "9"
            told = (await cluster.conditions())["Drifted"]
            assert "ConfigMap/default/a: data.value differs" in told
            assert await cluster.sync() == "OutOfSync"
            assert [o.kind for o in cluster.outcomes].count(OutcomeKind.DRIFT) == 1
            revision = cluster.registry.revision
            await cluster.settle(3600)
            assert cluster.registry.revision == revision, "told once, not again and again"
            assert "Drifted" in await cluster.reasons()
            cluster.source("app").write(a=config("a"), b=config("b", "2"))
            await cluster.settle()
            assert await cluster.values() == {"a": "9", "b": "2"}
            cluster.source("app").write(a=config("a", "3"), b=config("b", "2"))
            await cluster.settle()
            assert await cluster.values() == {"a": "3", "b": "2"}
            assert not await cluster.conditions()

    run_virtual(story())


def test_a_refused_revision_is_given_up_until_a_new_one_or_a_sync_by_hand() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            tried = refuse(cluster, Forbidden)
            cluster.source("app").write(a=config("a"), b=REFUSED)
            await cluster.application(retry={"limit": 2, "backoff": {"duration": "10s"}})
            await cluster.settle(3600)
            assert len(tried) == 3
            assert [round(b - a) for a, b in itertools.pairwise(tried)] == [10, 20]
            assert "given up after 3 tries" in (await cluster.conditions())["SyncFailed"]
            assert await cluster.values() == {"a": "1"}
            await cluster.restart()
            await cluster.settle(3600)
            assert len(tried) == 3, "a restart does not forget"
            await cluster.ask()
            assert len(tried) > 3
            cluster.source("app").write(a=config("a", "2"))
            await cluster.settle()
            assert await cluster.values() == {"a": "2"}
            assert not await cluster.conditions()

    run_virtual(story())


def test_an_api_that_is_away_is_tried_until_it_is_back() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            apply = cluster.registry.apply
            tried = refuse(cluster, Unavailable)
            cluster.source("app").write(b=REFUSED)
            await cluster.application(retry={"limit": 1}, timeout="1m")
            await cluster.settle(1800)
            assert len(tried) > 5
            cluster.registry.apply = apply  # type: ignore[method-assign]
            await cluster.settle(300)
            assert await cluster.values() == {"refused": "1"}
            assert await cluster.sync() == "Synced"

    run_virtual(story())


def test_one_deadline_for_all_and_the_culprit_is_named() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            wave = ", annotations: {reconciler.dev/sync-wave: '1'}"
            cluster.source("app").write(a=deployment("web"), b=config("late", extra=wave))
            await cluster.application(timeout="2m")
            begun = cluster.clock.now()
            await cluster.settle(600)
            status = await cluster.status()
            told = (await cluster.conditions())["SyncFailed"]
            assert "Deployment.apps/default/web" in told
            assert "out of time" in told
            assert "given up" in told
            assert await cluster.values() == {}
            assert status["operation"]["tries"] == 1
            failed = [o for o in cluster.outcomes if o.kind is OutcomeKind.FAILED]
            assert [round(o.at - begun) for o in failed] == [120]

    run_virtual(story())


def test_a_new_revision_interrupts_a_stuck_wait_and_a_mere_hint_does_not() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            wave = ", annotations: {reconciler.dev/sync-wave: '1'}"
            cluster.source("app").write(a=deployment("web"), b=config("late", extra=wave))
            await cluster.application(timeout="1h")
            await cluster.settle()
            cluster.source("app").hint()
            await cluster.settle()
            assert [o.kind for o in cluster.outcomes].count(OutcomeKind.STARTED) == 1
            cluster.source("app").write(b=config("late", extra=wave), c=config("new"))
            await cluster.settle(5)
            assert await cluster.values() == {"late": "1", "new": "1"}
            history = (await cluster.status())["history"]
            assert [h["result"] for h in history] == ["Interrupted", "Succeeded"]

    run_virtual(story())


def test_a_suspension_interrupts_a_stuck_wait_too() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            wave = ", annotations: {reconciler.dev/sync-wave: '1'}"
            cluster.source("app").write(a=deployment("web"), b=config("late", extra=wave))
            await cluster.application(timeout="1h")
            await cluster.settle()
            await cluster.registry.patch(kinds.APPLICATION, "app", "", {"spec": {"suspend": True}})
            await cluster.settle(5)
            assert (await cluster.status())["health"]["status"] == "Suspended"
            await cluster.set_health("web", available=True)
            await cluster.settle()
            assert await cluster.values() == {}

    run_virtual(story())


def test_a_hundred_applications_sync_side_by_side_and_a_stuck_one_holds_up_none() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            wave = ", annotations: {reconciler.dev/sync-wave: '1'}"
            cluster.source("stuck").write(a=deployment("web"), b=config("late", extra=wave))
            await cluster.application("stuck", timeout="1h")
            for number in range(100):
                cluster.source(f"app-{number}").write(a=config(f"c{number}"))
                await cluster.application(f"app-{number}")
            await cluster.settle(10)
            assert len(await cluster.values()) == 100

    run_virtual(story())


def test_an_hour_of_nothing_writes_nothing() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"))
            await cluster.application(
                windows=[{"kind": "deny", "schedule": "0 23 * * *", "duration": "10m"}]
            )
            await cluster.settle()
            revision = cluster.registry.revision
            await cluster.settle(3 * 3600)
            assert cluster.registry.revision == revision

    run_virtual(story())


def test_a_sync_checks_what_the_configuration_asks_for() -> None:
    async def story() -> None:
        checks = Checks(levels={"reference/secret": "off"}, reject=frozenset({"Service"}))
        pod = (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
            "  containers: [{name: c, image: i, envFrom: [{secretRef: {name: by-hand}}]}]\n"
        )
        async with Cluster(checks).running() as cluster:
            cluster.source("app").write(a=config("a"), p=pod)
            await cluster.application()
            await cluster.settle()
            assert await cluster.values() == {"a": "1"}
            rejected = (
                "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
            )
            cluster.source("app").write(a=config("a", "2"), b=rejected)
            await cluster.settle()
            assert await cluster.values() == {"a": "1"}

    run_virtual(story())


def test_a_suspended_application_does_not_follow_its_source() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            source = cluster.source("app")
            source.write(a=config("a"))
            await cluster.application()
            await cluster.settle()
            await cluster.application(spec_suspend=True)
            await cluster.settle()
            reads = source.reads
            assert source.closed == 1
            source.write(a=config("a", "2"))
            await cluster.settle(3600)
            assert source.reads == reads
            assert await cluster.values() == {"a": "1"}
            await cluster.application(spec_suspend=False)
            await cluster.settle()
            assert await cluster.values() == {"a": "2"}

    run_virtual(story())


def test_an_application_goes_at_once_though_its_server_hangs() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").hangs = True
            await cluster.application()
            await cluster.settle(5)
            assert cluster.source("app").reads == 1
            await cluster.registry.delete(kinds.APPLICATION, "app")
            await cluster.settle(1)
            assert not (await cluster.registry.list(kinds.APPLICATION)).items

    run_virtual(story())


def test_another_source_is_read_at_once_though_the_first_one_s_server_hangs() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            source = cluster.source("app")
            source.hangs = True
            await cluster.application()
            await cluster.settle(5)
            source.hangs = False
            source.write(a=config("a"))
            await cluster.application(spec_source={"directory": {"path": "/other"}})
            await cluster.settle(5)
            assert await cluster.values() == {"a": "1"}

    run_virtual(story())
