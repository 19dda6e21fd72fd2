"""What every runtime does alike, as the CRI asks of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import ContainerConfig, ContainerState, SandboxConfig, SandboxState
from reconciler.runtime.memory import MemoryRuntime
from reconciler.runtime.process import ProcessRuntime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.runtime.cri import Runtime

SLEEP = ContainerConfig("main", "image", command=("sleep", "600"), log_path="main/0.log")


@pytest.fixture(params=["memory", "process"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    made: Runtime
    if request.param == "memory":
        made = MemoryRuntime(clock=SystemClock())
    else:
        made = ProcessRuntime(tmp_path, clock=SystemClock())
    try:
        await made.open()
    except RuntimeFailure as failure:
        pytest.skip(f"no process runtime here: {failure}")
    yield made
    for pod in await made.pods():
        await made.remove_pod_sandbox(pod.id)
    await made.shutdown()


def sandbox(uid: str, tmp_path: Path) -> SandboxConfig:
    return SandboxConfig("default", f"pod-{uid}", uid, log_directory=str(tmp_path / "logs" / uid))


async def test_asking_twice_for_a_sandbox_or_container_gives_the_same(
    runtime: Runtime, tmp_path: Path
) -> None:
    first = await runtime.run_pod_sandbox(sandbox("u1", tmp_path))
    assert (await runtime.run_pod_sandbox(sandbox("u1", tmp_path))).id == first.id
    container = await runtime.create_container(first.id, SLEEP)
    assert await runtime.create_container(first.id, SLEEP) == container


async def test_pods_have_addresses_of_their_own(runtime: Runtime, tmp_path: Path) -> None:
    one = await runtime.run_pod_sandbox(sandbox("u1", tmp_path))
    two = await runtime.run_pod_sandbox(sandbox("u2", tmp_path))
    assert one.ip
    assert two.ip
    assert one.ip != two.ip


async def test_a_container_is_created_runs_ends_and_is_forgotten(
    runtime: Runtime, tmp_path: Path
) -> None:
    pod = await runtime.run_pod_sandbox(sandbox("u1", tmp_path))
    container = await runtime.create_container(pod.id, SLEEP)
    assert (await runtime.containers("u1"))[0].state is ContainerState.CREATED
    await runtime.start_container(container)
    (status,) = await runtime.containers("u1")
    assert status.state is ContainerState.RUNNING
    assert status.started_at > 0
    await runtime.stop_container(container, 30)
    await runtime.stop_container(container, 30)
    (status,) = await runtime.containers("u1")
    assert status.state is ContainerState.EXITED
    assert status.finished_at >= status.started_at
    await runtime.remove_container(container)
    await runtime.remove_container(container)
    assert await runtime.containers("u1") == []


async def test_stopping_a_sandbox_ends_its_containers(runtime: Runtime, tmp_path: Path) -> None:
    pod = await runtime.run_pod_sandbox(sandbox("u1", tmp_path))
    await runtime.start_container(await runtime.create_container(pod.id, SLEEP))
    await runtime.stop_pod_sandbox(pod.id)
    assert (await runtime.pods("u1"))[0].state is SandboxState.NOT_READY
    assert (await runtime.containers("u1"))[0].state is ContainerState.EXITED
    await runtime.remove_pod_sandbox(pod.id)
    assert await runtime.pods("u1") == []


async def test_a_change_is_hinted(runtime: Runtime, tmp_path: Path) -> None:
    async def hinted() -> str:
        async for event in runtime.events():
            return event.pod_uid
        return ""

    waiting = asyncio.create_task(hinted())
    await asyncio.sleep(0)
    pod = await runtime.run_pod_sandbox(sandbox("u1", tmp_path))
    await runtime.start_container(await runtime.create_container(pod.id, SLEEP))
    assert await asyncio.wait_for(waiting, 10) == "u1"
