"""Scale and eviction on a real socket, over the real registry."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from reconciler.api import kinds
from reconciler.apiserver.server import ApiServer
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry.registry import Registry
from reconciler.store.memory import MemoryStore
from tests.unit.controllers.snapshot import workload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

_WEB = "/apis/apps/v1/namespaces/default/deployments/web/scale"


@asynccontextmanager
async def _serving(tmp_path: Path) -> AsyncIterator[tuple[Registry, aiohttp.ClientSession]]:
    registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SystemEntropy())
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    server = ApiServer(registry, version="v0", clock=SystemClock(), details=dict)
    path = tmp_path / "api.sock"
    async with server.serving(path):
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as http:
            yield registry, http
    await registry.close()


async def test_who_hangs_up_on_a_watch_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`get -w` and `logs -f` end with Ctrl-C: a daemon's log is not the place for that."""
    async with _serving(tmp_path) as (registry, http):
        await http.get("/api/v1/pods?watch=true")
        watchers = registry._log.watches._watchers
        assert any(watchers.values())
        await http.close()
        number = 0
        while any(watchers.values()):  # it is noticed when there is something to say
            number += 1
            pod = {"containers": [{"name": "main", "image": "any"}]}
            await registry.create(
                {
                    "apiVersion": "v1", "kind": "Pod", "spec": pod,
                    "metadata": {"name": f"p{number}", "namespace": "default"},
                }
            )  # fmt: skip
            await asyncio.sleep(0)
    assert not caplog.records


async def test_a_workload_is_scaled_by_its_scale(tmp_path: Path) -> None:
    """R12, SS27: read, replaced and patched; only the size changes."""
    async with _serving(tmp_path) as (registry, http):
        await registry.create(workload("Deployment", 3))
        shown = await (await http.get(_WEB)).json()
        assert (shown["kind"], shown["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert shown["spec"] == {"replicas": 3}
        assert shown["status"] == {"replicas": 0, "selector": "app=web"}
        answer = await http.put(_WEB, json={**shown, "spec": {"replicas": 5}})
        assert (answer.status, (await answer.json())["spec"]) == (200, {"replicas": 5})
        stale = await http.put(_WEB, json={**shown, "spec": {"replicas": 9}})
        assert stale.status == 409
        for media, patch in (
            ("application/merge-patch+json", {"spec": {"replicas": 7}}),
            (
                "application/json-patch+json",
                [{"op": "replace", "path": "/spec/replicas", "value": 7}],
            ),
        ):
            answer = await http.patch(_WEB, json=patch, headers={"Content-Type": media})
            assert (await answer.json())["spec"] == {"replicas": 7}
        assert (await registry.get(kinds.DEPLOYMENT, "web", "default"))["spec"]["replicas"] == 7
        for body, code in (({"spec": {"replicas": -1}}, 422), ({"spec": {"replicas": "x"}}, 400)):
            assert (await http.put(_WEB, json=body)).status == code
        assert (await http.delete(_WEB)).status == 405
        elsewhere = "/apis/apps/v1/namespaces/default/daemonsets/web/scale"
        assert (await http.get(elsewhere)).status == 404


async def test_an_eviction_asks_the_budget(tmp_path: Path) -> None:
    async with _serving(tmp_path) as (registry, http):
        for name in ("a", "b"):
            await _ready_pod(registry, name)
        budget = await registry.create(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            }
        )
        url = "/api/v1/namespaces/default/pods/{}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
        # The controller has not seen the budget yet: nobody goes.
        answer = await http.post(url.format("a"), json=body)
        assert answer.status == 429
        assert (await answer.json())["details"]["retryAfterSeconds"] == 10
        counts = {"disruptionsAllowed": 1, "desiredHealthy": 1, "currentHealthy": 2}
        status = {"observedGeneration": 1, "expectedPods": 2, **counts}
        await registry.update({**budget, "status": status}, subresource="status")
        dry = {**body, "deleteOptions": {"dryRun": ["All"]}}
        assert (await http.post(url.format("a"), json=dry)).status == 201
        answer = await http.post(url.format("a"), json=body)
        assert (answer.status, (await answer.json())["status"]) == (201, "Success")
        pod = await registry.get(kinds.POD, "a", "default")
        assert pod["metadata"]["deletionTimestamp"]
        reasons = [c.get("reason") for c in pod["status"]["conditions"]]
        assert "EvictionByEvictionAPI" in reasons
        after = await registry.get(kinds.POD_DISRUPTION_BUDGET, "web", "default")
        assert after["status"]["disruptionsAllowed"] == 0
        assert list(after["status"]["disruptedPods"]) == ["a"]
        answer = await http.post(url.format("b"), json=body)
        assert answer.status == 429
        told = (await answer.json())["details"]["causes"][0]["message"]
        assert told == "The disruption budget web needs 1 healthy pods and has 2 currently"
        assert (await http.post(url.format("none"), json=body)).status == 404


async def _ready_pod(registry: Registry, name: str) -> None:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": "here", "containers": [{"name": "c", "image": "c"}]},
    }
    made = await registry.create(pod)
    conditions = [{"type": "Ready", "status": "True"}]
    status = {**made["status"], "phase": "Running", "conditions": conditions}
    await registry.update({**made, "status": status}, subresource="status")
