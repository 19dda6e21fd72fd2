"""HttpClient against the API server over the real registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler import errors
from reconciler.api import kinds
from reconciler.apiserver.server import ApiServer
from reconciler.client.http import HttpClient
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_protocol_over_the_socket(tmp_path: Path) -> None:
    registry = Registry(MemoryStore(), clock=SystemClock(), entropy=SystemEntropy())
    await registry.start()
    path = tmp_path / "api.sock"
    async with HttpClient(path) as client:
        with pytest.raises(errors.Unavailable):
            await client.details()
        server = ApiServer(registry, version="v0", clock=SystemClock(), details=lambda: {"pid": 1})
        async with server.serving(path):
            assert await client.details() == {"pid": 1}
            since = (await client.list(kinds.NAMESPACE)).resource_version
            shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            await client.create(shop)
            watch = client.watch(kinds.NAMESPACE, since=since)
            assert (await anext(watch)).object["metadata"]["name"] == "shop"
            await watch.aclose()
            labels = {"metadata": {"labels": {"a": "b"}}}
            done = await client.patch(kinds.NAMESPACE, "shop", "", labels)
            assert done["metadata"]["labels"]["a"] == "b"
            with pytest.raises(errors.AlreadyExists):
                await client.create(shop)
            await client.delete(kinds.NAMESPACE, "shop")
    await registry.close()
