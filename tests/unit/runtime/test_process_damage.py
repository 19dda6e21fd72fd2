"""The supervisor on a state directory whose records are damaged, lost, or those of another directory: never two of one Pod."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import ContainerState, ContainerStatus, SandboxState
from reconciler.runtime.process import ProcessRuntime, connection
from tests.unit.runtime.running import ended, pod, running, shell

if TYPE_CHECKING:
    from collections.abc import Callable


def truncated(path: Path) -> None:
    path.write_text(path.read_text()[:40])


def emptied(path: Path) -> None:
    path.write_text("")


def misshapen(path: Path) -> None:
    path.write_text(json.dumps({"id": 7, "state": "CONTAINER_RUNNING", "holder": {"pid": "many"}}))


def without_a_process(path: Path) -> None:
    record = json.loads(path.read_text())
    for field in ("process", "holder"):
        if field in record:
            record[field] = {"pid": "x", "start": None}
    path.write_text(json.dumps(record))


async def started(
    runtime: ProcessRuntime, tmp_path: Path, uid: str, seconds: int
) -> tuple[str, str]:
    """Run a Pod that sleeps, and leaves a child of its own; returns its sandbox and its container."""
    script = f"setsid sleep {seconds} & exec sleep {seconds}"
    sandbox = await runtime.run_pod_sandbox(pod(tmp_path, uid))
    container = await runtime.create_container(sandbox.id, shell(script))
    await runtime.start_container(container)
    async with asyncio.timeout(20):
        while len(running("sleep", str(seconds))) < 2:
            await asyncio.sleep(0.01)
    return sandbox.id, container


async def killed(runtime: ProcessRuntime) -> None:
    """Kill the supervisor, and wait until it is gone."""
    pid = (await runtime._connection.call("info"))["pid"]
    await runtime.close()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.01)


async def containers(runtime: ProcessRuntime) -> dict[str, ContainerStatus]:
    return {c.id: c for c in await runtime.containers()}


@pytest.mark.parametrize("kind", ["sandboxes", "containers"])
@pytest.mark.parametrize("damage", [truncated, emptied, misshapen, without_a_process])
async def test_a_pod_whose_record_is_damaged_is_ended_and_others_go_on(
    runtime: ProcessRuntime, tmp_path: Path, kind: str, damage: Callable[[Path], None]
) -> None:
    lost, kept = 7_100_000 + os.getpid() % 9000, 7_200_000 + os.getpid() % 9000
    sandbox, container = await started(runtime, tmp_path, "u1", lost)
    _, other = await started(runtime, tmp_path, "u2", kept)
    before = running("sleep", str(kept))
    await killed(runtime)
    damage(
        tmp_path
        / "runtime"
        / kind
        / (sandbox if kind == "sandboxes" else container)
        / "record.json"
    )
    found = await containers(runtime)
    assert not running("sleep", str(lost))
    assert found.get(container) is None or found[container].state is ContainerState.EXITED
    assert {s.id: s.state for s in await runtime.pods()}.get(sandbox) is not SandboxState.READY
    assert found[other].state is ContainerState.RUNNING
    assert running("sleep", str(kept)) == before
    # The Pod can be started again, and nothing of the damage is left for the next supervisor.
    again = await runtime.run_pod_sandbox(pod(tmp_path)._replace(attempt=1))
    second = await runtime.create_container(again.id, shell("exec sleep 60"))
    await runtime.start_container(second)
    assert (await containers(runtime))[second].state is ContainerState.RUNNING


async def test_a_container_whose_output_is_lost_is_ended(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    seconds = 7_300_000 + os.getpid() % 9000
    sandbox, container = await started(runtime, tmp_path, "u1", seconds)
    await killed(runtime)
    (tmp_path / "runtime/containers" / container / "stdout").unlink()
    await containers(runtime)
    assert not running("sleep", str(seconds))
    assert {s.id: s.state for s in await runtime.pods()}.get(sandbox) is not SandboxState.READY


@pytest.mark.parametrize("damage", [truncated, emptied, Path.unlink])
async def test_pods_of_a_network_that_is_lost_are_ended(
    runtime: ProcessRuntime, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    seconds = 7_400_000 + os.getpid() % 9000
    sandbox, container = await started(runtime, tmp_path, "u1", seconds)
    await killed(runtime)
    damage(tmp_path / "runtime/node.json")
    found = await containers(runtime)
    assert not running("sleep", str(seconds))
    assert found[container].state is ContainerState.EXITED
    again = await runtime.run_pod_sandbox(pod(tmp_path)._replace(attempt=1))
    assert again.id != sandbox
    assert await status_of(runtime, again.id, "echo up") == 0


async def status_of(runtime: ProcessRuntime, sandbox: str, script: str) -> int:
    container = await runtime.create_container(sandbox, shell(script))
    await runtime.start_container(container)
    return (await ended(runtime, container)).exit_code


async def test_a_directory_copied_while_it_runs_leaves_the_others_alone(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    seconds = 7_500_000 + os.getpid() % 9000
    _, container = await started(runtime, tmp_path, "u1", seconds)
    before = running("sleep", str(seconds))
    target = tmp_path / "copy"
    target.mkdir()
    shutil.copytree(
        tmp_path / "runtime", target / "runtime", ignore=shutil.ignore_patterns("stdout", "stderr")
    )
    for directory in (target / "runtime/containers").iterdir():
        for name in ("stdout", "stderr"):
            os.mkfifo(directory / name, 0o600)
    second = ProcessRuntime(target, clock=SystemClock())
    try:
        await second.open()
        assert await second.pods() == []
        assert await second.containers() == []
        await second.shutdown()
    finally:
        with contextlib.suppress(RuntimeFailure):
            await second.close()
    assert running("sleep", str(seconds)) == before
    assert (await containers(runtime))[container].state is ContainerState.RUNNING


async def test_a_directory_that_moved_keeps_what_it_knows(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    """Whatever ended meanwhile is known by its code: nothing of it is forgotten for a new name."""
    sandbox = await runtime.run_pod_sandbox(pod(tmp_path))
    container = await runtime.create_container(sandbox.id, shell("exit 5"))
    await runtime.start_container(container)
    await ended(runtime, container)
    await killed(runtime)
    home = tmp_path / "elsewhere"
    home.mkdir()
    (tmp_path / "runtime").rename(home / "runtime")
    moved = ProcessRuntime(home, clock=SystemClock())
    await moved.open()
    assert (await containers(moved))[container].exit_code == 5
    for one in await moved.pods():
        await moved.remove_pod_sandbox(one.id)
    await moved.shutdown()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_socket_that_is_gone_is_made_again(
    runtime: ProcessRuntime, tmp_path: Path, replaced: bool
) -> None:
    _, container = await started(runtime, tmp_path, "u1", 7_600_000 + os.getpid() % 9000)
    before = (await containers(runtime))[container]
    socket = connection.socket_path(tmp_path)
    await runtime.close()
    socket.unlink()
    if replaced:
        socket.write_text("")
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RuntimeFailure):
                found = await containers(runtime)
                break
            await asyncio.sleep(0.1)
    assert found[container] == before


async def test_what_runs_of_a_directory_that_is_deleted_is_ended(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    seconds = 7_700_000 + os.getpid() % 9000
    await started(runtime, tmp_path, "u1", seconds)
    pid = (await runtime._connection.call("info"))["pid"]
    await runtime.close()
    shutil.rmtree(tmp_path / "runtime")
    async with asyncio.timeout(20):
        while running("sleep", str(seconds)) or Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.05)
