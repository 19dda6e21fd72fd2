"""Metadata, generations, status and dry runs of any object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions
from reconciler.errors import Conflict, Invalid, NotFound
from tests.unit.controllers.snapshot import workload

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.registry import Registry


def _config(name: str = "c", **about: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **about},
    }


async def test_the_generation_counts_changes_of_the_spec(registry: Registry) -> None:
    """M01, M11: neither metadata nor status move it; a status through the front door is ignored."""
    made = await registry.create({**workload("Deployment", 1), "status": {"replicas": 9}})
    assert made["metadata"]["generation"] == 1
    assert "status" not in made

    async def patch(what: dict[str, Any], subresource: str = "") -> Object:
        return await registry.patch(
            kinds.DEPLOYMENT, "web", "default", what, subresource=subresource
        )

    assert (await patch({"metadata": {"labels": {"a": "b"}}}))["metadata"]["generation"] == 1
    after = await patch({"status": {"replicas": 1}, "spec": {"replicas": 5}}, "status")
    assert (after["metadata"]["generation"], after["spec"]["replicas"]) == (1, 1)
    assert after["status"] == {"replicas": 1}
    after = await patch({"spec": {"replicas": 2}, "status": {"replicas": 7}})
    assert (after["metadata"]["generation"], after["status"]) == (2, {"replicas": 1})
    assert "generation" not in (await registry.create(_config()))["metadata"]


async def test_nothing_changed_is_nothing_written(registry: Registry) -> None:
    """M04: by update, patch and apply, whoever the manager is."""
    made = await registry.apply(_config(), field_manager="one")
    again = await registry.apply(_config(), field_manager="one")
    patched = await registry.patch(kinds.CONFIG_MAP, "c", "default", {"metadata": {}})
    updated = await registry.update(made)
    revisions = {o["metadata"]["resourceVersion"] for o in (made, again, patched, updated)}
    assert len(revisions) == 1


async def test_an_old_version_does_not_overwrite(registry: Registry) -> None:
    """M03: without a version it does."""
    made = await registry.create(_config())
    await registry.update({**made, "data": {"a": "1"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        await registry.update({**made, "data": {"a": "2"}})
    about = {k: v for k, v in made["metadata"].items() if k != "resourceVersion"}
    after = await registry.update({**made, "metadata": about, "data": {"a": "3"}})
    assert after["data"] == {"a": "3"}


async def test_a_dry_run_says_what_would_be(registry: Registry) -> None:
    """M13: checked, with its defaults, and nothing stored."""
    made = await registry.create(workload("Deployment", 1), dry_run=True)
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"
    with pytest.raises(NotFound):
        await registry.get(kinds.DEPLOYMENT, "web", "default")
    with pytest.raises(Invalid):
        await registry.create(workload("Deployment", -1), dry_run=True)
    await registry.create(_config())
    await registry.delete(kinds.CONFIG_MAP, "c", "default", DeleteOptions(dry_run=True))
    assert await registry.get(kinds.CONFIG_MAP, "c", "default")


async def test_annotations_have_a_limit(registry: Registry) -> None:
    """M15."""
    with pytest.raises(Invalid, match="may not be more than 262144 bytes"):
        await registry.create(_config(annotations={"a": "x" * 262_144}))
    await registry.create(_config(annotations={"a": "x" * 262_143}))


async def test_one_controller_is_enough(registry: Registry) -> None:
    """M16."""
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "controller": True}
    refs = [{**ref, "name": name, "uid": name} for name in "ab"]
    with pytest.raises(Invalid, match="Only one reference can have Controller set to true"):
        await registry.create(_config(ownerReferences=refs))


@pytest.mark.parametrize(
    ("kind", "name", "good"),
    [
        ("ConfigMap", "a.b", True),
        ("ConfigMap", "A", False),
        ("ConfigMap", "a" * 253, True),
        ("ConfigMap", "a" * 254, False),
        ("Namespace", "a.b", False),
        ("Namespace", "a" * 64, False),
        ("Service", "1up", True),
        ("Service", "a.b", False),
        ("StatefulSet", "a.b", False),
    ],
)
async def test_names(registry: Registry, kind: str, name: str, good: bool) -> None:
    """M17."""
    about = {} if kind == "Namespace" else {"namespace": "default"}
    obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": about}
    if kind == "Service":
        obj["spec"] = {"ports": [{"port": 80}]}
    if kind == "StatefulSet":
        obj = workload("StatefulSet", 1, serviceName="s")
    obj["metadata"]["name"] = name
    if good:
        assert (await registry.create(obj))["metadata"]["name"] == name
    else:
        with pytest.raises(Invalid, match=r"metadata\.name"):
            await registry.create(obj)


async def test_a_long_list_comes_in_pages(registry: Registry) -> None:
    """M18."""
    for number in range(5):
        await registry.create(_config(f"c{number}"))
    seen: list[str] = []
    token, left = "", []
    while True:
        page = await registry.list(kinds.CONFIG_MAP, "default", limit=2, continue_token=token)
        seen += [obj["metadata"]["name"] for obj in page.items]
        left.append(page.remaining)
        token = page.continue_token
        if not token:
            break
    assert seen == [f"c{n}" for n in range(5)]
    assert left == [3, 1, None]


async def test_a_watch_goes_on_from_where_it_was(registry: Registry) -> None:
    """M19: what leaves the selector is deleted for who watches it."""
    begin = (await registry.list(kinds.CONFIG_MAP)).resource_version
    await registry.create(_config(labels={"a": "b"}))
    await registry.patch(kinds.CONFIG_MAP, "c", "default", {"data": {"x": "1"}})
    await registry.patch(kinds.CONFIG_MAP, "c", "default", {"metadata": {"labels": {"a": "z"}}})
    await registry.create(_config("d", labels={"a": "b"}))
    found: list[tuple[str, str]] = []
    watch = registry.watch(kinds.CONFIG_MAP, since=begin, labels="a=b")
    async for event in watch:
        found.append((str(event.type), event.object["metadata"]["name"]))
        if len(found) == 4:
            break
    await watch.aclose()
    assert found == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c"), ("ADDED", "d")]


@pytest.mark.parametrize(
    "options", [DeleteOptions(uid="1000"), DeleteOptions(resource_version="1000")]
)
async def test_a_deletion_has_preconditions(registry: Registry, options: DeleteOptions) -> None:
    """G10."""
    await registry.create(_config())
    with pytest.raises(Conflict):
        await registry.delete(kinds.CONFIG_MAP, "c", "default", options)
    assert await registry.get(kinds.CONFIG_MAP, "c", "default")
