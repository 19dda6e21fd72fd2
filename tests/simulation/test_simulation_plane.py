"""The control plane as a whole, under virtual time: an hour passes in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.clock import run_virtual
from tests.simulation.plane import ControlPlane, deployment

if TYPE_CHECKING:
    from pathlib import Path


def test_a_deployment_becomes_ready_rolls_and_heals(tmp_path: Path) -> None:
    """DP01, R01, P20: three Pods come up, a new image rolls them, a killed one comes back."""

    async def story() -> None:
        async with ControlPlane(tmp_path).running() as plane:
            await plane.registry.apply(deployment("web", 3), field_manager="test")
            await plane.until(lambda: len(plane.ready_pods()) == 3)
            before = {p["metadata"]["uid"] for p in plane.pods()}

            victim = plane.pods()[0]
            plane.runtime.exit(victim["metadata"]["uid"], "app", 137, signal=9)
            await plane.until(lambda: len(plane.ready_pods()) == 3, seconds=2)
            await plane.clock.sleep(1)
            restarts = [p["status"]["containerStatuses"][0]["restartCount"] for p in plane.pods()]
            assert sorted(restarts) == [0, 0, 1]
            assert {p["metadata"]["uid"] for p in plane.pods()} == before

            await plane.registry.apply(deployment("web", 3, "app:2"), field_manager="test")
            await plane.until(
                lambda: (
                    len(plane.pods()) == 3
                    and all(
                        p["spec"]["containers"][0]["image"] == "app:2" for p in plane.ready_pods()
                    )
                    and len(plane.ready_pods()) == 3
                )
            )
            assert not {p["metadata"]["uid"] for p in plane.pods()} & before

            await plane.registry.delete(kinds.DEPLOYMENT, "web", "default")
            await plane.until(lambda: not plane.pods())
            assert not await plane.runtime.containers()

    run_virtual(story())


def test_an_hour_of_quiet_writes_nothing(tmp_path: Path) -> None:
    """An unchanged status is never written: what is at rest stays at rest."""

    async def story() -> None:
        async with ControlPlane(tmp_path).running() as plane:
            await plane.registry.apply(deployment("web", 5), field_manager="test")
            await plane.until(lambda: len(plane.ready_pods()) == 5)
            await plane.clock.sleep(60)
            revision = plane.registry.revision
            await plane.clock.sleep(3600)
            assert plane.registry.revision == revision

    run_virtual(story())
