"""The process runtime with real processes, on a network of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import ContainerConfig, Mount
from reconciler.runtime.process import ProcessRuntime
from tests.unit.runtime.running import ended, log, run, running, shell


async def test_output_and_exit_code_are_kept(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await run(runtime, tmp_path, shell("echo out; echo err >&2; printf half; exit 3"))
    status = await ended(runtime, container)
    assert (status.exit_code, status.reason) == (3, "Error")
    lines = log(tmp_path)
    assert ["stdout", "F", "out"] in lines
    assert ["stderr", "F", "err"] in lines
    assert ["stdout", "F", "half"] in lines


async def test_volumes_appear_where_the_host_has_no_such_path(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("content\n")
    mounts = (
        Mount("/no-such/deep/path", str(source)),
        Mount("/etc/no-such/file", str(source / "file"), readonly=True),
    )
    script = (
        "cat /no-such/deep/path/file /etc/no-such/file; echo new > /no-such/deep/path/made;"
        "echo x 2>/dev/null > /etc/no-such/file || echo refused"
    )
    await ended(runtime, await run(runtime, tmp_path, shell(script, mounts=mounts)))
    assert [line[2] for line in log(tmp_path)[:2]] == ["content", "content"]
    assert "refused" in {line[2] for line in log(tmp_path)}
    assert (source / "made").read_text() == "new\n"
    assert not Path("/no-such").exists()


async def test_names_are_the_pods_own(runtime: ProcessRuntime, tmp_path: Path) -> None:
    script = "hostname; cat /etc/hostname /etc/resolv.conf /etc/hosts; echo $ONLY; env | wc -l"
    container = await run(runtime, tmp_path, shell(script, env={"ONLY": "mine"}))
    await ended(runtime, container)
    lines = [line[2] for line in log(tmp_path)]
    assert lines[:3] == ["web", "web", "nameserver 10.96.0.10"]
    assert "192.0.2.7\tlegacy" in lines
    assert "mine" in lines


async def test_a_pod_is_reached_at_its_address_and_at_a_service_port_below_1024(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    service = await runtime.network.listen("10.96.0.10", 53)
    loop = asyncio.get_running_loop()
    script = (
        "import socket; s = socket.create_server(('', 80));"
        "c = socket.create_connection(('10.96.0.10', 53)); s.accept()[0].sendall(b'served')"
    )
    config = shell("")._replace(command=("python3", "-c", script))
    await run(runtime, tmp_path, config)
    async with asyncio.timeout(20):
        caller, source = await loop.sock_accept(service)
    (pod_status,) = await runtime.pods()
    assert source[0] == pod_status.ip
    (client,) = await runtime.network.sockets(1)
    await loop.sock_connect(client, (pod_status.ip, 80))
    assert await loop.sock_recv(client, 100) == b"served"
    for sock in (service, caller, client):
        sock.close()


async def test_nothing_of_a_container_outlives_it(runtime: ProcessRuntime, tmp_path: Path) -> None:
    seconds = str(7_000_000 + os.getpid())
    script = f"setsid sh -c 'echo up; exec sleep {seconds}' & wait"
    container = await run(runtime, tmp_path, shell(script))
    async with asyncio.timeout(20):
        while not log(tmp_path) or not running("sleep", seconds):
            await asyncio.sleep(0.01)
    await runtime.stop_container(container, 5)
    status = await ended(runtime, container)
    assert (status.exit_code, status.signal) == (143, 15)
    assert not running("sleep", seconds)


async def test_a_container_that_ignores_term_is_killed(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    container = await run(
        runtime, tmp_path, shell("trap '' TERM; echo up; while :; do sleep 1; done")
    )
    async with asyncio.timeout(20):
        while not log(tmp_path):
            await asyncio.sleep(0.01)
    await runtime.stop_container(container, 0.05)
    assert (await ended(runtime, container)).exit_code == 137


async def test_a_program_that_is_missing_says_so(runtime: ProcessRuntime, tmp_path: Path) -> None:
    config = shell("")._replace(command=("no-such-program",))
    with pytest.raises(RuntimeFailure, match="no-such-program: command not found") as caught:
        await run(runtime, tmp_path, config)
    assert caught.value.reason == "StartError"


async def test_an_image_without_a_program_says_what_to_add(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeFailure, match=r"runtime: \{process: \{images") as caught:
        await runtime.ensure_image("nginx:1", "Always", needs_command=True)
    assert caught.value.reason == "ErrImageNeverPull"
    await runtime.ensure_image("nginx:1", "Always", needs_command=False)
    config = ContainerConfig("main", "greeter:1", log_path="main/0.log")
    await ended(runtime, await run(runtime, tmp_path, config))
    assert log(tmp_path) == [["stdout", "F", "from the image"]]


async def test_commands_run_inside(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await run(runtime, tmp_path, shell("exec sleep 600"))
    result = await runtime.exec_sync(container, ("sh", "-c", "hostname; echo e >&2; exit 4"), 20)
    assert result == (4, b"web\n", b"e\n")
    with pytest.raises(RuntimeFailure) as caught:
        await runtime.exec_sync(container, ("sleep", "600"), 0.05)
    assert caught.value.reason == "Timeout"
    stream = await runtime.exec(container, ("cat",), stdin=True, tty=False)
    await stream.write(b"through")
    await stream.write(b"")
    assert [piece async for piece in stream.output()] == [(1, b"through")]
    assert await stream.wait() == 0
    await stream.close()


async def test_a_new_daemon_finds_everything_again(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await run(runtime, tmp_path, shell("exec sleep 600"))
    before = await runtime.containers()
    await runtime.close()
    second = ProcessRuntime(tmp_path, clock=SystemClock())
    assert await second.containers() == before
    await second.stop_container(container, 5)
    await second.close()


async def test_containers_outlive_the_supervisor(runtime: ProcessRuntime, tmp_path: Path) -> None:
    script = "echo before; trap 'echo bye; exit 7' TERM; while :; do sleep 0.05; done"
    container = await run(runtime, tmp_path, shell(script))
    (before,) = await runtime.containers()
    os.kill((await runtime._connection.call("info"))["pid"], signal.SIGKILL)
    async with asyncio.timeout(20):
        while True:
            try:
                (after,) = await runtime.containers()
                break
            except RuntimeFailure:
                await asyncio.sleep(0.01)
    assert after == before
    await runtime.stop_container(container, 10)
    status = await ended(runtime, container)
    assert (status.exit_code, status.reason) in {(7, "Error"), (137, "ContainerStatusUnknown")}
    assert [line[2] for line in log(tmp_path)] == ["before", "bye"]
