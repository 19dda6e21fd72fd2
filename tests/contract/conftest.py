"""Every Client: the registry in this process, and the same registry behind HTTP on a unix socket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.apiserver import ApiServer
from reconciler.client import HttpClient
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.api.client import Client


@asynccontextmanager
async def connected(kind: str, folder: Path) -> AsyncIterator[Client]:
    clock = SystemClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SystemEntropy())
    await registry.start()
    await registry.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    )
    try:
        if kind == "registry":
            yield registry
        else:
            server = ApiServer(registry, version="v0", clock=clock, details=dict)
            async with (
                server.serving(folder / "api.sock"),
                HttpClient(folder / "api.sock") as client,
            ):
                yield client
    finally:
        await registry.close()


@pytest.fixture(params=["registry", "http"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(request.param, tmp_path) as made:
        yield made
