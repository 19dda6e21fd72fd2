"""The process runtime with real processes, on a network of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.runtime.process import ImageMapping, ProcessRuntime
from tests.unit.runtime.running import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    made = ProcessRuntime(
        tmp_path,
        clock=SystemClock(),
        images=lambda: [ImageMapping("greeter:*", ("echo", "from the image"))],
    )
    async for one in opened(made):
        yield one
