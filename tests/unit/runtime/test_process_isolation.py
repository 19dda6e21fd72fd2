"""What of the host and of other Pods a container of the process runtime can reach."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import Mount, Security
from reconciler.runtime.process import ProcessRuntime
from tests.unit.runtime.running import ended, log, opened, pod, run, said, shell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def output(runtime: ProcessRuntime, container: str, script: str) -> list[str]:
    result = await runtime.exec_sync(container, ("sh", "-c", script), 20)
    return result.stdout.decode().split()


async def test_a_pod_sees_and_signals_only_its_own_processes(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    script = f"cat /proc/[0-9]*/comm | sort -u; kill -0 {os.getpid()} 2>/dev/null && echo reached"
    told = await said(runtime, tmp_path, script)
    assert set(told) <= {"sleep", "sh", "cat", "sort"}


async def test_a_pod_may_ask_for_the_processes_of_the_host(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    box = await runtime.run_pod_sandbox(pod(tmp_path)._replace(host_pid=True))
    container = await runtime.create_container(box.id, shell("exec sleep 600"))
    await runtime.start_container(container)
    found = await output(runtime, container, f"test -d /proc/{os.getpid()} && echo seen")
    assert found == ["seen"]


async def test_what_a_container_leaves_behind_is_reaped(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    config = shell(
        "for i in 1 2 3; do (setsid sh -c 'sleep 0.01' &); done; echo up; exec sleep 600"
    )
    container = await run(runtime, tmp_path, config)
    processes = "cat /proc/[0-9]*/stat | cut -d' ' -f2,3"
    async with asyncio.timeout(20):
        # The first process of the Pod, the container's, and the three of the question itself.
        while len(await output(runtime, container, processes)) > 2 * 5 or not log(tmp_path):
            await asyncio.sleep(0.01)
    assert "Z" not in await output(runtime, container, processes)


async def test_devices_are_the_harmless_few_and_terminals_the_containers_own(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    script = "ls /dev; echo x > /dev/null; head -c 1 /dev/urandom | wc -c; exec sleep 600"
    container = await run(runtime, tmp_path, shell(script))
    async with asyncio.timeout(20):
        while not log(tmp_path) or log(tmp_path)[-1][2] != "1":
            await asyncio.sleep(0.01)
    stream = await runtime.exec(container, ("sh", "-c", "tty; ls /dev/pts"), stdin=False, tty=True)
    told = b"".join([piece async for _, piece in stream.output()]).decode().split()
    assert await stream.wait() == 0
    assert told == ["/dev/pts/0", "0", "ptmx"]
    lines = [line[2] for line in log(tmp_path)]
    harmless = {
        "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    }  # fmt: skip
    assert set(lines[:-1]) <= harmless


async def test_shared_memory_is_the_pods(runtime: ProcessRuntime, tmp_path: Path) -> None:
    name = f"of-a-test-{os.getpid()}"
    first = await run(runtime, tmp_path, shell(f"echo mine > /dev/shm/{name}; exec sleep 600"))
    (box,) = await runtime.pods()
    other = await runtime.run_pod_sandbox(pod(tmp_path, "u2"))
    await ended_writing(runtime, first, name)
    sibling = shell("exec sleep 600")._replace(name="second", log_path="second/0.log")
    containers = []
    for sandbox in (box, other):
        containers.append(await runtime.create_container(sandbox.id, sibling))
        await runtime.start_container(containers[-1])
    assert await output(runtime, containers[0], f"cat /dev/shm/{name}") == ["mine"]
    assert await output(runtime, containers[1], f"cat /dev/shm/{name}") == []
    assert not Path("/dev/shm", name).exists()


async def ended_writing(runtime: ProcessRuntime, container: str, name: str) -> None:
    async with asyncio.timeout(20):
        while not await output(runtime, container, f"cat /dev/shm/{name} 2>/dev/null"):
            await asyncio.sleep(0.01)


async def test_nothing_of_the_daemon_is_in_a_container(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is the Pod's own, no descriptor is inherited, and the state directory is empty to it."""
    monkeypatch.setenv("RECONCILER_SECRET", "leaked")
    secret = tmp_path / "cluster.db"
    secret.write_text("everything")
    script = f"env | cut -d= -f1 | sort; ls /proc/self/fd | wc -l; cat {secret} 2>/dev/null; ls {tmp_path}"
    told = await said(runtime, tmp_path, script, env={"OWN": "1"})
    assert told == ["HOME", "OWN", "PATH", "PWD", "4"]


async def test_no_pod_speaks_to_the_supervisor(runtime: ProcessRuntime, tmp_path: Path) -> None:
    """Not even a privileged one, to which the socket is visible: it would be the daemon to it."""
    connect = (
        "import socket; s = socket.socket(socket.AF_UNIX);"
        f"s.connect('{tmp_path}/run/supervisor.sock')\n"
        'try: s.sendall(b\'{"id": 1, "op": "info"}\\n\'); print(s.recv(9) or \'cut off\')\n'
        "except ConnectionError: print('cut off')"
    )
    config = shell("")._replace(command=("python3", "-c", connect))
    await ended(runtime, await run(runtime, tmp_path, config))
    assert "FileNotFoundError" in log(tmp_path)[-1][2]
    (box,) = await runtime.pods()
    privileged = config._replace(attempt=1, security=Security(privileged=True))
    container = await runtime.create_container(box.id, privileged)
    await runtime.start_container(container)
    await ended(runtime, container)
    assert log(tmp_path)[-1][2] == "cut off"


@pytest.fixture
async def protecting(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    """A runtime whose containers may not write the host's file system."""
    async for made in opened(
        ProcessRuntime(tmp_path, clock=SystemClock(), root_filesystem="readOnly")
    ):
        yield made


async def test_the_hosts_file_system_can_be_kept_from_containers(
    protecting: ProcessRuntime, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    mounts = (Mount("/srv/data", str(data)), Mount("/tmp/given/data", str(data)))
    script = (
        "for place in /etc /usr /srv /var /tmp /var/tmp /run /srv/data /tmp/given /dev/shm; do"
        " (echo x > $place/of-a-test) 2>/dev/null && echo $place; done; ls -A /run /var/tmp"
    )
    told = await said(protecting, tmp_path, script, mounts=mounts)
    assert told[:6] == ["/tmp", "/var/tmp", "/run", "/srv/data", "/tmp/given", "/dev/shm"]
    assert sorted(told[6:]) == ["", "/run:", "/var/tmp:", "of-a-test", "of-a-test"]
    assert (data / "of-a-test").exists()
    assert not Path("/tmp/of-a-test").exists()


async def test_a_read_only_root_counts_where_the_hosts_is_kept_too(
    protecting: ProcessRuntime, tmp_path: Path
) -> None:
    script = (
        "for place in /tmp /run /etc; do (: > $place/of-a-test) 2>/dev/null && echo $place; done"
    )
    security = Security(read_only_root=True)
    assert await said(protecting, tmp_path, script, security=security) == []


async def test_sockets_at_short_names_are_hidden_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state directory with a long path has its sockets elsewhere, where Pods of the same user could find them."""
    runtime_directory = Path("/tmp") / f"rc-test-{os.getpid()}"
    runtime_directory.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory))
    state = tmp_path / ("long" * 30)
    state.mkdir()
    try:
        async for made in opened(ProcessRuntime(state, clock=SystemClock())):
            sockets = runtime_directory / "reconciler"
            assert list(sockets.iterdir())
            assert await said(made, tmp_path, f"ls -A {sockets}; echo none") == ["none"]
    finally:
        shutil.rmtree(runtime_directory)


@pytest.mark.parametrize("trap", ["link", "open"])
async def test_a_directory_of_somebody_else_is_not_trusted_with_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    state = tmp_path / ("long" * 30)
    state.mkdir()
    if trap == "link":
        (tmp_path / "reconciler").symlink_to(state)
    else:
        (tmp_path / "reconciler").mkdir()
        (tmp_path / "reconciler").chmod(0o777)
    told = {"link": "is no directory of this user", "open": "can be written by others"}
    with pytest.raises(RuntimeFailure, match=told[trap]):
        await ProcessRuntime(state, clock=SystemClock()).open()


@pytest.mark.parametrize("trap", ["pipe", "endless"])
async def test_what_a_pod_puts_at_etc_passwd_holds_up_nobody(
    runtime: ProcessRuntime, tmp_path: Path, trap: str
) -> None:
    """The supervisor reads it to learn of groups: it may be a pipe that nobody writes, or a file without an end."""
    os.mkfifo(tmp_path / "pipe")
    source = {"pipe": str(tmp_path / "pipe"), "endless": "/dev/zero"}[trap]
    mounts = (Mount("/etc/passwd", source),)
    security = Security(run_as_user=4242, run_as_group=4242)
    async with asyncio.timeout(10):
        told = await said(runtime, tmp_path, "id -u", mounts=mounts, security=security)
    assert told == ["4242"]


async def test_a_pod_that_stops_its_own_processes_stops_nobody_else(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    """What is started in a Pod is one of its processes before it is a program: the supervisor must not wait for it."""
    script = "echo up; while :; do kill -STOP -1 2>/dev/null; done"
    config = shell(script)._replace(name="stopper", log_path="main/0.log")
    await run(runtime, tmp_path, config)
    async with asyncio.timeout(20):
        while not log(tmp_path):
            await asyncio.sleep(0.01)
        (container,) = await runtime.containers()
        stopped = [
            asyncio.create_task(runtime.exec_sync(container.id, ("true",), 5)) for _ in range(5)
        ]
        other = await runtime.run_pod_sandbox(pod(tmp_path, "u2"))
        second = await runtime.create_container(other.id, shell("exit 3"))
        await runtime.start_container(second)
        assert (await ended(runtime, second)).exit_code == 3
    for outcome in await asyncio.gather(*stopped, return_exceptions=True):
        if isinstance(outcome, BaseException):  # one may have been too fast for it
            assert isinstance(outcome, RuntimeFailure)
            assert outcome.reason == "Timeout"
