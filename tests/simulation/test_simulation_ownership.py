"""Owners and dependents, namespaces and what is in them: over the real registry, under virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.clock import run_virtual
from reconciler.errors import Forbidden, NotFound
from tests.simulation.plane import ControlPlane, deployment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from reconciler.api.objects import Object


def _run(tmp_path: Path, story: Callable[[ControlPlane], Awaitable[None]]) -> None:
    async def main() -> None:
        async with ControlPlane(tmp_path).running() as plane:
            await story(plane)

    run_virtual(main())


async def _config(plane: ControlPlane, name: str, *owners: Object, **extra: Any) -> Object:
    refs = [
        {
            "apiVersion": o["apiVersion"], "kind": o["kind"], "name": o["metadata"]["name"],
            "uid": o["metadata"]["uid"], "blockOwnerDeletion": True,
        }
        for o in owners
    ]  # fmt: skip
    about = {"name": name, "namespace": extra.pop("namespace", "default"), "ownerReferences": refs}
    return await plane.registry.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**about, **extra}}
    )


async def _delete(plane: ControlPlane, name: str, how: Propagation, kind: kinds.Kind) -> None:
    await plane.registry.delete(kind, name, "default", DeleteOptions(propagation=how))


async def _is_there(plane: ControlPlane, name: str, namespace: str = "default") -> bool:
    try:
        await plane.registry.get(kinds.CONFIG_MAP, name, namespace)
    except NotFound:
        return False
    return True


def test_in_the_background_the_owner_goes_first(tmp_path: Path) -> None:
    """G01."""

    async def story(plane: ControlPlane) -> None:
        await plane.registry.apply(deployment("web", 2), field_manager="test")
        await plane.until(lambda: len(plane.ready_pods()) == 2)
        await _delete(plane, "web", Propagation.BACKGROUND, kinds.DEPLOYMENT)
        with pytest.raises(NotFound):
            await plane.registry.get(kinds.DEPLOYMENT, "web", "default")
        await plane.until(lambda: not plane.pods(), seconds=120)
        assert not (await plane.registry.list(kinds.REPLICA_SET, "default")).items

    _run(tmp_path, story)


def test_in_the_foreground_the_owner_goes_last(tmp_path: Path) -> None:
    """G03: it stays, with a finalizer, until all that block are gone."""

    async def story(plane: ControlPlane) -> None:
        await plane.registry.apply(deployment("web", 2), field_manager="test")
        await plane.until(lambda: len(plane.ready_pods()) == 2)
        await _delete(plane, "web", Propagation.FOREGROUND, kinds.DEPLOYMENT)
        owner = await plane.registry.get(kinds.DEPLOYMENT, "web", "default")
        assert owner["metadata"]["finalizers"] == ["foregroundDeletion"]
        while plane.pods():
            assert await plane.registry.get(kinds.DEPLOYMENT, "web", "default")
            await plane.clock.sleep(0.05)
        await plane.until(
            lambda: plane.cache.snapshot.get(kinds.DEPLOYMENT, "default", "web") is None, seconds=60
        )

    _run(tmp_path, story)


def test_orphans_stay_and_lose_their_owner(tmp_path: Path) -> None:
    """G04: and a new one adopts them (R06, DP09)."""

    async def story(plane: ControlPlane) -> None:
        await plane.registry.apply(deployment("web", 2), field_manager="test")
        await plane.until(lambda: len(plane.ready_pods()) == 2)
        before = {p["metadata"]["uid"] for p in plane.pods()}
        await _delete(plane, "web", Propagation.ORPHAN, kinds.DEPLOYMENT)
        await plane.clock.sleep(5)
        (rs,) = (await plane.registry.list(kinds.REPLICA_SET, "default")).items
        assert not rs["metadata"].get("ownerReferences")
        assert {p["metadata"]["uid"] for p in plane.pods()} == before
        await plane.registry.apply(deployment("web", 2), field_manager="test")
        await plane.clock.sleep(5)
        (rs,) = (await plane.registry.list(kinds.REPLICA_SET, "default")).items
        assert rs["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
        assert {p["metadata"]["uid"] for p in plane.pods()} == before

    _run(tmp_path, story)


def test_one_owner_that_lives_is_enough(tmp_path: Path) -> None:
    """G05: the reference to the other is removed, gone or waiting."""

    async def story(plane: ControlPlane) -> None:
        first, second = await _config(plane, "first"), await _config(plane, "second")
        third = await _config(plane, "third")
        await _config(plane, "child", first, second, third)
        await _delete(plane, "first", Propagation.BACKGROUND, kinds.CONFIG_MAP)
        await _delete(plane, "second", Propagation.FOREGROUND, kinds.CONFIG_MAP)
        await plane.clock.sleep(20)
        child = await plane.registry.get(kinds.CONFIG_MAP, "child", "default")
        assert [r["name"] for r in child["metadata"]["ownerReferences"]] == ["third"]
        assert not await _is_there(plane, "second")
        await _delete(plane, "third", Propagation.BACKGROUND, kinds.CONFIG_MAP)
        await plane.clock.sleep(20)
        assert not await _is_there(plane, "child")

    _run(tmp_path, story)


def test_an_owner_that_never_was_is_gone(tmp_path: Path) -> None:
    """G06, G07: nor may it live in another namespace, which is told."""

    async def story(plane: ControlPlane) -> None:
        real = await _config(plane, "real")
        ghost = {**real, "metadata": {**real["metadata"], "uid": "never"}}
        await _config(plane, "of-ghost", ghost)
        await plane.registry.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "there"}}
        )
        await _config(plane, "far", real, namespace="there")
        await plane.clock.sleep(20)
        assert not await _is_there(plane, "of-ghost")
        assert not await _is_there(plane, "far", "there")
        events = (await plane.registry.list(kinds.EVENT, "there")).items
        assert "OwnerRefInvalidNamespace" in [e["reason"] for e in events]
        # Another kind of object of the cluster cannot have such an owner at all: it is left alone.
        wide = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "wide",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "real", "uid": "never"}
                ],
            },
            "provisioner": "x",
        }
        await plane.registry.create(wide)
        await plane.clock.sleep(20)
        assert await plane.registry.get(kinds.STORAGE_CLASS, "wide")

    _run(tmp_path, story)


@pytest.mark.parametrize("how", [Propagation.BACKGROUND, Propagation.FOREGROUND])
def test_a_circle_of_owners_does_not_block(tmp_path: Path, how: Propagation) -> None:
    """G08."""

    async def story(plane: ControlPlane) -> None:
        one = await _config(plane, "one")
        two = await _config(plane, "two", one)
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "two", "blockOwnerDeletion": True}
        refs = [{**ref, "uid": two["metadata"]["uid"]}]
        await plane.registry.patch(
            kinds.CONFIG_MAP, "one", "default", {"metadata": {"ownerReferences": refs}}
        )
        await plane.clock.sleep(5)
        await _delete(plane, "one", how, kinds.CONFIG_MAP)
        await plane.clock.sleep(30)
        assert not await _is_there(plane, "one")
        assert not await _is_there(plane, "two")

    _run(tmp_path, story)


def test_a_finalizer_holds_what_is_deleted(tmp_path: Path) -> None:
    """G09: finalizers can only be taken away then."""

    async def story(plane: ControlPlane) -> None:
        await _config(plane, "held", finalizers=["example.com/a", "example.com/b"])
        await _delete(plane, "held", Propagation.BACKGROUND, kinds.CONFIG_MAP)
        held = await plane.registry.get(kinds.CONFIG_MAP, "held", "default")
        assert held["metadata"]["deletionTimestamp"]
        for left in (["example.com/b"], None):
            assert await _is_there(plane, "held")
            await plane.registry.patch(
                kinds.CONFIG_MAP, "held", "default", {"metadata": {"finalizers": left}}
            )
        assert not await _is_there(plane, "held")

    _run(tmp_path, story)


def test_a_namespace_takes_everything_along(tmp_path: Path) -> None:
    """G11, G12, G13: Pods first; what holds it is told; nothing new comes in."""

    async def story(plane: ControlPlane) -> None:
        made = await plane.registry.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
        )
        assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
        assert made["spec"]["finalizers"] == ["kubernetes"]
        accounts = plane.cache.snapshot
        await plane.until(
            lambda: accounts.get(kinds.SERVICE_ACCOUNT, "team", "default") is not None
        )
        await plane.registry.delete(kinds.SERVICE_ACCOUNT, "default", "team")
        await plane.clock.sleep(1)
        assert await plane.registry.get(kinds.SERVICE_ACCOUNT, "default", "team")
        web = deployment("web", 2)
        web["metadata"]["namespace"] = "team"
        await plane.registry.apply(web, field_manager="test")
        await plane.until(lambda: len(plane.ready_pods("team")) == 2)
        await _config(plane, "held", namespace="team", finalizers=["example.com/a"])
        await plane.registry.delete(kinds.NAMESPACE, "team")
        with pytest.raises(Forbidden, match="because it is being terminated"):
            await _config(plane, "late", namespace="team")
        await plane.clock.sleep(60)
        going = await plane.registry.get(kinds.NAMESPACE, "team")
        assert going["status"]["phase"] == "Terminating"
        told = {c["type"]: c["message"] for c in going["status"]["conditions"]}
        assert "configmaps has 1 resource instances" in told["NamespaceContentRemaining"]
        assert "example.com/a in 1 resource instances" in told["NamespaceFinalizersRemaining"]
        assert not plane.pods("team")
        patch = {"metadata": {"finalizers": None}}
        await plane.registry.patch(kinds.CONFIG_MAP, "held", "team", patch)
        await plane.clock.sleep(20)
        with pytest.raises(NotFound):
            await plane.registry.get(kinds.NAMESPACE, "team")

    _run(tmp_path, story)


def test_events_are_counted_and_forgotten_after_an_hour(tmp_path: Path) -> None:
    """G14: one Event, however often the same happens."""

    async def story(plane: ControlPlane) -> None:
        body = deployment("web", 1)
        body["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "none"}
        await plane.registry.apply(body, field_manager="test")
        await plane.clock.sleep(5)
        made = (await plane.registry.list(kinds.EVENT, "default")).items
        assert "FailedScheduling" in [e["reason"] for e in made]
        await plane.clock.sleep(3_000)
        assert (await plane.registry.list(kinds.EVENT, "default")).items
        await plane.clock.sleep(1_500)
        await plane.registry.apply(deployment("other", 1), field_manager="test")
        await plane.clock.sleep(30)
        names = {e["metadata"]["name"] for e in made}
        left = (await plane.registry.list(kinds.EVENT, "default")).items
        assert not names & {e["metadata"]["name"] for e in left}

    _run(tmp_path, story)


def test_a_service_takes_its_slices_along(tmp_path: Path) -> None:
    """S22: and its status is written like any other (S23)."""

    async def story(plane: ControlPlane) -> None:
        await plane.registry.apply(deployment("web", 2), field_manager="test")
        about = {"name": "web", "namespace": "default"}
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": spec}
        await plane.registry.apply(service, field_manager="test")

        def reached() -> int:
            slices = plane.cache.snapshot.list(kinds.ENDPOINT_SLICE, "default")
            return sum(e["conditions"]["ready"] for s in slices for e in s.get("endpoints") or ())

        await plane.until(lambda: reached() == 2, seconds=60)
        status = {"conditions": [{"type": "Seen", "status": "True"}]}
        patch = {"status": status, "spec": {"ports": []}}
        after = await plane.registry.patch(
            kinds.SERVICE, "web", "default", patch, subresource="status"
        )
        assert after["status"]["conditions"] == status["conditions"]
        assert len(after["spec"]["ports"]) == 1
        await plane.registry.delete(kinds.SERVICE, "web", "default")
        await plane.clock.sleep(20)
        assert not (await plane.registry.list(kinds.ENDPOINT_SLICE, "default")).items

    _run(tmp_path, story)
