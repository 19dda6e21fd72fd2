"""The API server on a real unix socket, over the real registry."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import aiohttp

from reconciler.apiserver.server import ApiServer
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_object_is_made_read_and_deleted_over_the_socket(tmp_path: Path) -> None:
    registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SystemEntropy())
    await registry.start()
    path = tmp_path / "api.sock"
    server = ApiServer(registry, version="v0", clock=SystemClock(), details=lambda: {"pid": 1})
    async with server.serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as http:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            assert (await http.post("/api/v1/namespaces", json=body)).status == 201
            one = await (await http.get("/api/v1/namespaces/shop")).json()
            assert one["metadata"]["name"] == "shop"
            lost = await http.get("/api/v1/namespaces/none")
            assert (lost.status, (await lost.json())["reason"]) == (404, "NotFound")
            assert (await http.get("/api/v1/pods?limit=x")).status == 400
            assert (await http.delete("/api/v1/namespaces/shop")).status == 200
    assert not path.exists()
    await registry.close()


async def test_only_pods_have_ephemeral_containers(tmp_path: Path) -> None:
    clock = SystemClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SystemEntropy())
    await registry.start()
    for obj in (
        {"kind": "Namespace", "metadata": {"name": "shop"}},
        {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}},
        {
            "kind": "Pod",
            "metadata": {"name": "x", "namespace": "shop"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    ):
        await registry.create({"apiVersion": "v1", **obj})
    server = ApiServer(registry, version="v0", clock=clock, details=dict)
    path = tmp_path / "api.sock"
    async with server.serving(path):
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://localhost", connector=connector) as http:
            base = "/api/v1/namespaces/shop"
            assert (await http.get(f"{base}/pods/x/ephemeralcontainers")).status == 200
            assert (await http.get(f"{base}/configmaps/x/ephemeralcontainers")).status == 404
    await registry.close()
