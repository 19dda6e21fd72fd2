"""A registry of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    made = Registry(MemoryStore(), clock=SystemClock(), entropy=SeededEntropy(3))
    await made.start()
    await made.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    yield made
    await made.close()
