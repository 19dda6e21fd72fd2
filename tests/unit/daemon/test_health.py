"""Readiness asks the parts themselves: a disk that refuses, a list that never came, a loop that has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.clock import LoopClock, SeededEntropy
from reconciler.control import InformerCache
from reconciler.daemon import health
from reconciler.daemon.health import Health
from reconciler.registry import Registry
from reconciler.runtime.memory import MemoryRuntime
from reconciler.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

import pytest


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    registry = Registry(
        SqliteStore(tmp_path / "cluster.db"), clock=LoopClock(), entropy=SeededEntropy()
    )
    await registry.start()
    yield registry
    await registry.close()


async def problems(subject: Health) -> dict[str, str]:
    return {c.name: c.problem for c in await subject.checks() if c.problem}


async def test_what_is_not_ready_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    clock = LoopClock()
    cache = InformerCache(registry, [kinds.POD], clock=clock)
    tasks: dict[str, asyncio.Task[None]] = {}
    subject = Health(
        registry, cache, loops=("gitops",), tasks=tasks, runtime=MemoryRuntime(clock=clock),
        clock=clock,
    )  # fmt: skip
    assert await problems(subject) == {
        "informers": "not listed yet: pods",
        "gitops": "not started yet",
    }

    async def ends() -> None:
        """A loop that ends."""

    following = asyncio.create_task(cache.run())
    await cache.synced()
    tasks["gitops"] = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
    assert await problems(subject) == {}
    tasks["gitops"].cancel()
    tasks["gitops"] = asyncio.create_task(ends())
    await tasks["gitops"]
    assert await problems(subject) == {"gitops": "it has ended"}
    following.cancel()
    await asyncio.wait([following])


async def test_a_store_that_cannot_be_written_is_found_out(registry: Registry) -> None:
    clock = LoopClock()
    subject = Health(
        registry, InformerCache(registry, [], clock=clock), loops=(), tasks={},
        runtime=MemoryRuntime(clock=clock), clock=clock,
    )  # fmt: skip
    await registry.close()
    assert "closed" in (await problems(subject))["store"]
    # Whoever asks again at once costs no further write.
    assert await subject.checks() is await subject.checks()
