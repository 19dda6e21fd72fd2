"""A node of real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.kubelet.node import Node, a_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with a_node(tmp_path) as made:
        yield made
