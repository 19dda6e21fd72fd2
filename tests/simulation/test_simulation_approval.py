"""Plans that are approved: just what was shown is synced, or nothing. Under virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.errors import NotFound, Unavailable
from reconciler.gitops.plan.approval import moved
from tests.simulation.applications import Cluster, config

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: %s}\n"


async def manual(cluster: Cluster, **files: str) -> None:
    """Run an Application that nobody syncs but on request."""
    cluster.source("app").write(**files)
    await cluster.application(automated=None)
    await cluster.settle()


def changes(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(c["action"], c["name"]) for c in plan["changes"]]


def test_what_was_approved_is_synced_and_changes_nothing_before() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await manual(cluster, a=config("a"), b=SECRET % "hunter2")
            plan = await cluster.engine.plan("app")
            assert changes(plan) == [("create", "key"), ("create", "a")]
            assert "hunter2" not in str(plan)
            assert await cluster.values() == {}
            assert (await cluster.ask(approved_plan=plan["approval"]))["accepted"]
            assert await cluster.values() == {"a": "1"}
            assert (await cluster.engine.plan("app"))["changes"] == []

    run_virtual(story())


def test_another_revision_makes_a_plan_stale() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await manual(cluster, a=config("a"), b=config("b"))
            plan = await cluster.engine.plan("app")
            cluster.source("app").write(a=config("a", "2"))
            answer = await cluster.ask(approved_plan=plan["approval"])
            assert not answer["accepted"]
            assert "is not what a sync would do now" in answer["message"]
            assert await cluster.values() == {}
            told = moved(plan, await cluster.engine.plan("app"))
            assert told[0].startswith("the revision was ")
            assert told[1:] == [
                "create ConfigMap default/a: it, or what is wanted of it, has changed since",
                "create ConfigMap default/b: no longer to be done",
            ]

    run_virtual(story())


def test_a_live_object_that_moved_makes_a_plan_stale_a_status_does_not() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await manual(cluster, a=config("a"))
            await cluster.ask()
            cluster.source("app").write(a=config("a", "2"))
            await cluster.settle()
            plan = await cluster.engine.plan("app")
            found = await cluster.registry.get(kinds.CONFIG_MAP, "a", "default")
            noted = {"metadata": {"managedFields": found["metadata"]["managedFields"]}}
            await cluster.registry.patch(kinds.CONFIG_MAP, "a", "default", noted)
            assert (await cluster.engine.plan("app"))["approval"] == plan["approval"]

            await cluster.edit("a", "by hand")
            assert not (await cluster.ask(approved_plan=plan["approval"]))["accepted"]
            assert await cluster.values() == {"a": "by hand"}
            plan = await cluster.engine.plan("app")
            assert plan["changes"][0]["fields"] == [
                {"path": "data.value", "before": "by hand", "after": "2"}
            ]
            assert (await cluster.ask(approved_plan=plan["approval"]))["accepted"]
            assert await cluster.values() == {"a": "2"}

    run_virtual(story())


def test_a_plan_tells_what_would_be_pruned_only_where_a_sync_would() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            cluster.source("app").write(a=config("a"), b=config("b"))
            await cluster.application(automated={"prune": True})
            await cluster.settle()
            await cluster.application(automated={"prune": True}, windows=[
                {"kind": "deny", "schedule": "* * * * *", "duration": "1h"}])  # fmt: skip
            cluster.source("app").write(a=config("a"))
            await cluster.settle()
            plan = await cluster.engine.plan("app")
            assert changes(plan) == [("prune", "b")]
            assert plan["summary"]["unchanged"] == 1

    run_virtual(story())


def test_a_plan_says_what_a_sync_would_leave_alone() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            await manual(cluster, a=config("a"), b=config("b"))
            await cluster.registry.create({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"},
                "data": {"value": "somebody's"},
            })  # fmt: skip
            await cluster.settle()
            plan = await cluster.engine.plan("app")
            assert changes(plan) == [("create", "b")]
            assert [h["object"] for h in plan["held"]] == ["ConfigMap/default/a"]

    run_virtual(story())


def test_an_application_that_is_not_there_or_not_read_has_no_plan() -> None:
    async def story() -> None:
        async with Cluster().running() as cluster:
            with pytest.raises(NotFound, match="there is no Application 'nope'"):
                await cluster.engine.plan("nope")
            cluster.source("app").missing = True
            await cluster.application()
            await cluster.settle()
            with pytest.raises(Unavailable, match="reconciler status app"):
                await cluster.engine.plan("app")

    run_virtual(story())


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: %s}}
  template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: c, image: i}]}}
"""
SEALED = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nimmutable: true\nstringData: {p: %s}\n"
)


def test_a_change_of_what_cannot_be_changed_is_foretold() -> None:
    """covers D04"""

    async def story() -> None:
        async with Cluster().running() as cluster:
            await manual(cluster, a=DEPLOYMENT % ("web", "web"), b=SEALED % "hunter2")
            await cluster.ask()
            await cluster.settle()
            cluster.source("app").write(a=DEPLOYMENT % ("other", "other"), b=SEALED % "hunter3")
            await cluster.settle()
            plan = await cluster.engine.plan("app")
            told = {c["name"]: c["cause"] for c in plan["changes"]}
            assert told == {
                "web": "immutable: spec.selector: field is immutable: delete the object, and the sync "
                "creates it anew; or leave it as it was",
                "key": "immutable: data: field is immutable when `immutable` is set: delete the object, "
                "and the sync creates it anew; or leave it as it was",
            }
            assert "hunter" not in str(plan)

    run_virtual(story())
