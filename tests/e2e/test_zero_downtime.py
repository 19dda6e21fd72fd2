"""No request is lost while workloads roll and scale and the daemon dies (a tenth of ``benchmarks/zero_downtime.py``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmarks import zero_downtime

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]


def test_rollouts_scalings_and_a_dead_daemon_lose_no_request(tmp_path: Path) -> None:
    outcome = asyncio.run(zero_downtime.measure(10_000, tmp_path))
    assert outcome.answered >= 10_000
    assert outcome.rollouts >= 2
    assert outcome.kills >= 1
    assert not outcome.failed
