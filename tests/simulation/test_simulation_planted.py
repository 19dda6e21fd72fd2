"""A test of the test: three planted bugs, each found by the seeds of `reconciler simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.control.queue import WorkQueue
from reconciler.controllers import replicaset
from reconciler.controllers.deployment import rollout
from reconciler.simulation import play, tell
from reconciler.simulation.world import World

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: Seeds that are tried. The first to find the bugs were 22, 4 and 22.
SEEDS = 2000

pytestmark = pytest.mark.timeout(240)


def _find(expected: str) -> None:
    """Play seeds until a story breaks, which it must do as expected."""
    for seed in range(SEEDS):
        broken = play(tell(seed, hours=0.1)).broken
        if broken:
            assert expected in broken, f"seed {seed} found something else: {broken}"
            return
    pytest.fail(f"{SEEDS} seeds did not find the planted bug")


def test_a_lost_requeue_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is to be looked at later, or tried again, never is."""
    monkeypatch.setattr(WorkQueue, "add_after", lambda self, key, seconds: None)
    _find("not Synced and Healthy")


def test_an_off_by_one_in_surge_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = rollout.bounds

    def generous(*given: Any) -> rollout.Bounds:
        found = bounds(*given)
        return found._replace(surge=found.surge + 1)

    monkeypatch.setattr(rollout, "bounds", generous)
    _find("more may be")


def test_pods_that_a_restart_duplicates_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that was started again decides before it has seen which Pods are there."""
    begin, scale = World.begin, replicaset._scale
    blind: set[str] = set()
    restarted = False

    async def beginning(world: World) -> None:
        nonlocal restarted
        restarted = world.crashes > 0
        blind.clear()
        await begin(world)

    def scaling(rs: Object, active: list[Object], now: float) -> Any:
        uid = rs["metadata"]["uid"]
        if restarted and uid not in blind:
            blind.add(uid)
            return scale(rs, [], now)
        return scale(rs, active, now)

    monkeypatch.setattr(World, "begin", beginning)
    monkeypatch.setattr(replicaset, "_scale", scaling)
    _find("more may be")
