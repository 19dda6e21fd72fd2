"""One suite over every Client: the registry in this process, and the same registry behind HTTP on a unix socket."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.client import Client, DeleteOptions, EventType, PatchType, Propagation
from reconciler.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
)

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def config(name: str = "a", **data: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "data": data,
    }  # fmt: skip


def deployment(replicas: int = 1) -> Object:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }  # fmt: skip


def pod(node: str = "", **meta: Any) -> Object:
    spec: dict[str, Any] = {"containers": [{"name": "a", "image": "a:1"}]}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", **meta}, "spec": spec,
    }  # fmt: skip


async def test_an_object_is_made_read_changed_and_deleted(client: Client) -> None:
    made = await client.create(config(x="1"))
    assert made["metadata"]["uid"]
    assert (await client.get(kinds.CONFIG_MAP, "a", "default")) == made
    with pytest.raises(AlreadyExists):
        await client.create(config())
    changed = await client.update({**made, "data": {"x": "2"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    await client.delete(kinds.CONFIG_MAP, "a", "default")
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        await client.get(kinds.CONFIG_MAP, "a", "default")


async def test_an_old_resource_version_is_a_conflict(client: Client) -> None:
    """M03."""
    made = await client.create(config(x="1"))
    await client.update({**made, "data": {"x": "2"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.update({**made, "data": {"x": "3"}})


async def test_what_changes_nothing_is_not_written(client: Client) -> None:
    made = await client.apply(deployment(), field_manager="me")
    again = await client.apply(deployment(), field_manager="me")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec_alone(client: Client) -> None:
    """M01."""
    made = await client.create(deployment())
    assert made["metadata"]["generation"] == 1
    status = await client.update({**made, "status": {"replicas": 1}}, subresource="status")
    assert status["metadata"]["generation"] == 1
    assert status["status"] == {"replicas": 1}
    ignored = await client.update({**status, "status": {"replicas": 9}})
    assert ignored["status"] == {"replicas": 1}
    scaled = await client.patch(kinds.DEPLOYMENT, "web", "default", {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2


async def test_patches_of_every_kind(client: Client) -> None:
    await client.create(deployment())
    await client.patch(
        kinds.DEPLOYMENT, "web", "default",
        [{"op": "replace", "path": "/spec/replicas", "value": 2}], type=PatchType.JSON,
    )  # fmt: skip
    containers = {
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}
    }
    both = await client.patch(
        kinds.DEPLOYMENT, "web", "default", containers, type=PatchType.STRATEGIC
    )
    assert both["spec"]["replicas"] == 2
    assert {c["name"] for c in both["spec"]["template"]["spec"]["containers"]} == {"web", "side"}
    with pytest.raises(BadRequest, match=r"metadata\.name"):
        await client.patch(kinds.DEPLOYMENT, "web", "default", {"metadata": {"name": "other"}})


async def test_apply_names_whom_it_conflicts_with(client: Client) -> None:
    """M06."""
    await client.apply(deployment(1), field_manager="me")
    with pytest.raises(Conflict, match='"me"') as caught:
        await client.apply(deployment(2), field_manager="you")
    assert caught.value.causes[0].field == ".spec.replicas"
    forced = await client.apply(deployment(2), field_manager="you", force=True)
    assert forced["spec"]["replicas"] == 2


async def test_lists_select_and_come_in_pages(client: Client) -> None:
    for name in ("c", "a", "b"):
        await client.create(config(name))
    listed = await client.list(kinds.CONFIG_MAP, "default", limit=2)
    assert [o["metadata"]["name"] for o in listed.items] == ["a", "b"]
    rest = await client.list(
        kinds.CONFIG_MAP, "default", limit=2, continue_token=listed.continue_token
    )
    assert [o["metadata"]["name"] for o in rest.items] == ["c"]
    assert not rest.continue_token
    chosen = await client.list(kinds.CONFIG_MAP, labels="app in (a,c)")
    assert [o["metadata"]["name"] for o in chosen.items] == ["a", "c"]
    named = await client.list(kinds.CONFIG_MAP, fields="metadata.name=b")
    assert [o["metadata"]["name"] for o in named.items] == ["b"]


async def test_a_watch_tells_everything_after_a_revision(client: Client) -> None:
    """W01, W02: also what enters and leaves its selector."""
    listed = await client.list(kinds.CONFIG_MAP, "default")
    made = await client.create(config(x="1"))
    await client.patch(kinds.CONFIG_MAP, "a", "default", {"data": {"x": "2"}})
    await client.patch(kinds.CONFIG_MAP, "a", "default", {"metadata": {"labels": {"app": "z"}}})
    await client.delete(kinds.CONFIG_MAP, "a", "default")
    seen: list[EventType] = []
    watch = client.watch(kinds.CONFIG_MAP, "default", since=listed.resource_version, labels="app=a")
    async with asyncio.timeout(5), aclosing(watch) as events:
        async for event in events:
            seen.append(event.type)
            assert event.object["metadata"]["uid"] == made["metadata"]["uid"]
            if event.type is EventType.DELETED:
                break
    assert seen == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]


async def test_a_revision_nobody_remembers_is_gone(client: Client) -> None:
    """W03."""
    watch = client.watch(kinds.CONFIG_MAP, since="-1")
    with pytest.raises(Gone):
        async with asyncio.timeout(5), aclosing(watch) as events:
            await anext(events)


async def test_names_are_generated(client: Client) -> None:
    """M05."""
    obj = config()
    del obj["metadata"]["name"]
    obj["metadata"]["generateName"] = "web-"
    names = {(await client.create(obj))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(n.startswith("web-") and len(n) == 9 for n in names)


async def test_a_dry_run_leaves_nothing(client: Client) -> None:
    shown = await client.apply(deployment(), field_manager="me", dry_run=True)
    assert shown["spec"]["strategy"]["type"] == "RollingUpdate"
    with pytest.raises(NotFound):
        await client.get(kinds.DEPLOYMENT, "web", "default")


async def test_a_scheduled_pod_has_its_grace(client: Client) -> None:
    """P30, P31: it goes when the kubelet lets it; one that nobody runs goes at once."""
    made = await client.create(pod(node="n"))
    gone = await client.delete(kinds.POD, "p", "default")
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
    shorter = await client.delete(kinds.POD, "p", "default", DeleteOptions(grace_seconds=5))
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    with pytest.raises(Conflict):
        await client.delete(
            kinds.POD, "p", "default", DeleteOptions(grace_seconds=0, uid="another")
        )
    last = DeleteOptions(grace_seconds=0, uid=made["metadata"]["uid"])
    await client.delete(kinds.POD, "p", "default", last)
    with pytest.raises(NotFound):
        await client.get(kinds.POD, "p", "default")
    await client.create(pod())
    await client.delete(kinds.POD, "p", "default")
    with pytest.raises(NotFound):
        await client.get(kinds.POD, "p", "default")


async def test_finalizers_hold_an_object(client: Client) -> None:
    """G05."""
    obj = config()
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(obj)
    held = await client.delete(kinds.CONFIG_MAP, "a", "default")
    assert held["metadata"]["deletionTimestamp"]
    await client.patch(kinds.CONFIG_MAP, "a", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        await client.get(kinds.CONFIG_MAP, "a", "default")


async def test_foreground_deletion_waits_for_the_garbage_collector(client: Client) -> None:
    """G03."""
    await client.create(deployment())
    options = DeleteOptions(propagation=Propagation.FOREGROUND)
    held = await client.delete(kinds.DEPLOYMENT, "web", "default", options)
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_a_namespace_must_be_there_and_stay(client: Client) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await client.create(config() | {"metadata": {"name": "a", "namespace": "nowhere"}})
    await client.delete(kinds.NAMESPACE, "default")
    assert (await client.get(kinds.NAMESPACE, "default"))["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="being terminated"):
        await client.create(config())


async def test_what_breaks_a_rule_is_refused_with_its_field(client: Client) -> None:
    wrong = deployment()
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(Invalid, match="`selector` does not match template `labels`") as caught:
        await client.create(wrong)
    assert caught.value.causes[0].field == "spec.template.metadata.labels"
    await client.create(deployment())
    moved = deployment()
    moved["spec"]["selector"] = {"matchLabels": {"app": "web", "x": "y"}}
    moved["spec"]["template"]["metadata"]["labels"] = {"app": "web", "x": "y"}
    with pytest.raises(Invalid, match="field is immutable"):
        await client.apply(moved, field_manager="me", force=True)


async def test_services_get_addresses_and_ports_of_their_own(client: Client) -> None:
    """N01, N10."""

    def service(name: str, **spec: Any) -> Object:
        return {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}], **spec},
        }  # fmt: skip

    one, two = (
        await client.create(service("one")),
        await client.create(service("two", type="NodePort")),
    )
    assert one["spec"]["clusterIP"] != two["spec"]["clusterIP"]
    assert 30000 <= two["spec"]["ports"][0]["nodePort"] < 32768
    with pytest.raises(Invalid, match="already allocated"):
        await client.create(service("three", clusterIP=one["spec"]["clusterIP"]))
    dry = await client.create(service("dry"), dry_run=True)
    kept = await client.create(service("kept", clusterIP=dry["spec"]["clusterIP"]))
    assert kept["spec"]["clusterIP"] == dry["spec"]["clusterIP"]
    headless = await client.create(service("headless", clusterIP="None"))
    assert headless["spec"]["clusterIP"] == "None"


async def test_a_pod_is_assigned_to_a_node_once_and_says_so(client: Client) -> None:
    await client.create(pod())
    patch = {"spec": {"nodeName": "here"}}
    bound = await client.patch(kinds.POD, "p", "default", patch, subresource="binding")
    assert bound["spec"]["nodeName"] == "here"
    told = {c["type"]: c["status"] for c in bound["status"]["conditions"]}
    assert told["PodScheduled"] == "True"
    with pytest.raises(Conflict, match="already assigned to node 'here'"):
        await client.patch(
            kinds.POD, "p", "default", {"spec": {"nodeName": "there"}}, subresource="binding"
        )
