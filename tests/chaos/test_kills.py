"""Kills at random moments of syncs, bounded for CI; ``tests/chaos/run.py --kills 200`` is the long run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.run import chaos
from tests.chaos.site import Site

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]


def test_killed_at_random_moments_nothing_runs_twice_and_all_converges(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        assert chaos(site, 7, lambda kills: kills >= 8)["kills"] >= 8
