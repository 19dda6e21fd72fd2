"""Containers that end: when they are started again, and what their Pod says meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.clock import run_virtual
from reconciler.runtime.memory import Behaviour
from tests.simulation.plane import ControlPlane

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig


def _pod(policy: str, *names: str, init: tuple[str, ...] = ()) -> Object:
    def container(name: str) -> dict[str, Any]:
        return {"name": name, "image": "c", "command": ["c"]}

    spec: dict[str, Any] = {"restartPolicy": policy, "containers": [container(n) for n in names]}
    if init:
        spec["initContainers"] = [container(n) for n in init]
    about = {"name": "p", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def _script(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
    """A container's name says how it ends: after a second, with which code."""
    name = container.name
    return Behaviour() if name == "stays" else Behaviour(1.0, int(name.rpartition("-")[2]))


async def _status(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = (await plane.registry.get(kinds.POD, "p", "default"))["status"]
    return found


def test_a_container_that_crashes_waits_longer_each_time(tmp_path: Path) -> None:
    """P02, P03, P04, P13, P20: at once, then 10, 20, 40 s after its end; the Pod is Running all the while."""

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_script).running() as plane:
            await plane.registry.create(_pod("Always", "ends-7"))
            begin = plane.clock.now()
            for at, restarts in (
                (1.8, 1),
                (11.5, 1),
                (12.8, 2),
                (32.5, 2),
                (34, 3),
                (73, 3),
                (75.5, 4),
            ):
                await plane.clock.sleep(begin + at - plane.clock.now())
                status = await _status(plane)
                assert status["phase"] == "Running"
                (container,) = status["containerStatuses"]
                assert container["restartCount"] == restarts
                if at in (11.5, 32.5, 73):
                    waiting = container["state"]["waiting"]
                    assert waiting["reason"] == "CrashLoopBackOff"
                    assert container["lastState"]["terminated"]["exitCode"] == 7
                    assert container["lastState"]["terminated"]["reason"] == "Error"

    run_virtual(story())


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        ("Always", 0, "Running"),
        ("Always", 1, "Running"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 1, "Running"),
        ("Never", 0, "Succeeded"),
        ("Never", 1, "Failed"),
    ],
)
def test_what_an_end_means(tmp_path: Path, policy: str, code: int, phase: str) -> None:
    """P07, P08, P09, P14, P15."""

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_script).running() as plane:
            await plane.registry.create(_pod(policy, f"ends-{code}"))
            await plane.clock.sleep(5)
            status = await _status(plane)
            assert status["phase"] == phase
            ready = next(c for c in status["conditions"] if c["type"] == "Ready")
            reasons = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}
            assert ready["reason"] == reasons.get(phase, "ContainersNotReady")

    run_virtual(story())


def test_a_pod_ends_when_its_last_container_does(tmp_path: Path) -> None:
    """P12, P15: one that failed makes it Failed, but not before."""

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_script).running() as plane:
            await plane.registry.create(_pod("Never", "ends-1", "stays"))
            await plane.clock.sleep(5)
            assert (await _status(plane))["phase"] == "Running"
            pod = await plane.registry.get(kinds.POD, "p", "default")
            plane.runtime.exit(pod["metadata"]["uid"], "stays", 0)
            await plane.clock.sleep(2)
            assert (await _status(plane))["phase"] == "Failed"

    run_virtual(story())


def test_init_containers_come_one_after_another_and_first(tmp_path: Path) -> None:
    """P11, P16, P17: one that fails for good fails the Pod, and the others never start."""

    async def story() -> None:
        async with ControlPlane(tmp_path, script=_script).running() as plane:
            await plane.registry.create(_pod("Never", "stays", init=("a-0", "b-0")))
            await plane.clock.sleep(0.5)
            status = await _status(plane)
            assert status["phase"] == "Pending"
            running = [bool(c["state"].get("running")) for c in status["initContainerStatuses"]]
            assert running == [True, False]
            await plane.clock.sleep(4)
            assert (await _status(plane))["phase"] == "Running"
            await plane.registry.delete(kinds.POD, "p", "default")
            await plane.until(lambda: not plane.pods(), seconds=60)
            await plane.registry.create(_pod("Never", "stays", init=("a-3", "b-0")))
            await plane.clock.sleep(5)
            status = await _status(plane)
            assert status["phase"] == "Failed"
            assert not status["containerStatuses"][0]["state"].get("running")

    run_virtual(story())


def test_a_container_that_ran_long_enough_starts_over_at_once(tmp_path: Path) -> None:
    """P05: after more than ten minutes the next end counts as the first."""

    def script(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
        return Behaviour(700.0 if container.attempt == 3 else 1.0, 7)

    async def story() -> None:
        async with ControlPlane(tmp_path, script=script).running() as plane:
            await plane.registry.create(_pod("Always", "main"))
            begin = plane.clock.now()
            # 1, 1 + 1, then waits of 10 and 20 s: the fourth run begins after some 34 s, and lasts 700.
            for at, restarts in ((33, 2), (35, 3), (733, 3), (735.5, 4), (744, 4), (748, 5)):
                await plane.clock.sleep(begin + at - plane.clock.now())
                (container,) = (await _status(plane))["containerStatuses"]
                assert (at, container["restartCount"]) == (at, restarts)

    run_virtual(story())
