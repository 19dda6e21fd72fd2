"""The process runtime with real processes, on a network of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.process import ImageMapping, ProcessRuntime

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
    try:
        await made.open()
    except RuntimeFailure as failure:
        pytest.skip(f"no process runtime here: {failure}")
    yield made
    for pod in await made.pods():
        await made.remove_pod_sandbox(pod.id)
    await made.shutdown()
