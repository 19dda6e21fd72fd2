"""What a container may use and has used: through control groups where this host lets us, else as far as can be."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import SystemClock
from reconciler.runtime.cri import ContainerState, Resources
from reconciler.runtime.process import ProcessRuntime
from reconciler.runtime.process.supervisor import limits, resources
from reconciler.runtime.process.supervisor.cgroups import Hierarchy
from tests.unit.runtime.running import ended, log, opened, run, running, shell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PYTHON = sys.executable
FEW = 200


@pytest.fixture(scope="module")
def enforced() -> set[str]:
    """Return the controllers that are enforced here."""
    hierarchy = Hierarchy(f"reconciler-test-{os.getpid()}")
    found = {c for c in ("cpu", "memory", "pids") if hierarchy.enforces(c)}
    hierarchy.end()
    return found


def needs(enforced: set[str], controller: str) -> None:
    if controller not in enforced:
        pytest.skip(f"this host lets nobody here limit {controller} by control groups")


async def test_who_is_over_its_memory_limit_is_killed_for_it(
    runtime: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    """Exit code 137, reason OOMKilled, also where a shell started what was too large."""
    needs(enforced, "memory")
    eat = f"{PYTHON} -c 'x = bytearray(1 << 29); print(len(x))'; exit $?"
    config = shell(eat, resources=Resources(memory_limit=64 << 20))
    status = await ended(runtime, await run(runtime, tmp_path, config))
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


async def test_a_limit_that_is_kept_is_no_matter(runtime: ProcessRuntime, tmp_path: Path) -> None:
    config = shell("echo fine; exit 3", resources=Resources(memory_limit=64 << 20, cpu_limit=500))
    status = await ended(runtime, await run(runtime, tmp_path, config))
    assert (status.exit_code, status.reason) == (3, "Error")
    assert log(tmp_path)[0][-1] == "fine"


async def test_cpu_time_is_limited(
    runtime: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    """With a limit of 200m no program gets on faster, however idle the machine is."""
    needs(enforced, "cpu")
    burn = (
        "import time\n"
        "begun, used = time.monotonic(), time.process_time()\n"
        "while time.process_time() - used < 0.3: pass\n"
        "print(int((time.monotonic() - begun) * 1000))"
    )
    config = shell("", command=(PYTHON, "-c", burn), resources=Resources(cpu_limit=200))
    await ended(runtime, await run(runtime, tmp_path, config))
    assert int(log(tmp_path)[0][-1]) > 900


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    """A runtime whose containers have few processes each."""
    async for one in opened(ProcessRuntime(tmp_path, clock=SystemClock(), pod_pids_limit=FEW)):
        yield one


async def test_a_fork_bomb_ends_at_its_limit(
    narrow: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    needs(enforced, "pids")
    bomb = (
        "import os, sys, time\n"
        "made = 0\n"
        "try:\n"
        "    while made < 20000:\n"
        "        if os.fork() == 0: time.sleep(3600)\n"
        "        made += 1\n"
        "except OSError as error: print(made, error.strerror, flush=True)\n"
        "time.sleep(3600)\n"
    )
    container = await run(narrow, tmp_path, shell("", command=(PYTHON, "-S", "-c", bomb)))
    async with asyncio.timeout(50):
        while not (tmp_path / "logs/u1/main/0.log").exists() or not log(tmp_path):
            await asyncio.sleep(0.05)
    made = int(log(tmp_path)[0][-1].split()[0])
    assert FEW // 2 < made < FEW
    await narrow.stop_container(container, 0)
    assert (await ended(narrow, container)).exit_code == 137
    assert not running(PYTHON, "-S", "-c", bomb)


async def test_processes_that_fork_as_fast_as_they_are_killed_are_ended(
    narrow: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    """Each of them fills the gap that a killed one leaves, in a session of its own."""
    needs(enforced, "pids")
    bomb = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n"
        "    try:\n"
        "        if os.fork() == 0: os.setsid()\n"
        "    except OSError: time.sleep(0.02)\n"
    )
    container = await run(narrow, tmp_path, shell("", command=(PYTHON, "-S", "-c", bomb)))
    async with asyncio.timeout(50):
        while len(running(PYTHON, "-S", "-c", bomb)) < FEW // 2:
            await asyncio.sleep(0.05)
    await narrow.stop_container(container, 0)
    assert (await ended(narrow, container)).exit_code == 137
    assert not running(PYTHON, "-S", "-c", bomb)


async def test_what_is_used_is_told_while_it_runs(runtime: ProcessRuntime, tmp_path: Path) -> None:
    """With groups and without, a container's CPU time grows as it works, and its memory is what it holds."""
    work = "x = bytearray(40 << 20)\nwhile True: pass"
    container = await run(runtime, tmp_path, shell("", command=(PYTHON, "-c", work)))

    async def used() -> tuple[int, int]:
        found = [s for s in await runtime.stats() if s.id == container]
        return (found[0].cpu, found[0].memory) if found else (0, 0)

    async with asyncio.timeout(20):
        while (await used())[1] < 40 << 20:
            await asyncio.sleep(0.02)
        first = (await used())[0]
        while (await used())[0] < first + 100_000_000:
            await asyncio.sleep(0.02)
    assert (await used())[1] < 200 << 20
    await runtime.stop_container(container, 0)
    assert (await ended(runtime, container)).state is ContainerState.EXITED
    assert await runtime.stats() == []


async def test_a_command_shares_the_limits_of_its_container(
    runtime: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    needs(enforced, "memory")
    config = shell("sleep 3600", resources=Resources(memory_limit=64 << 20))
    container = await run(runtime, tmp_path, config)
    eat = ("sh", "-c", f"{PYTHON} -c 'bytearray(1 << 29)'; echo $?")
    assert (await runtime.exec_sync(container, eat, 30)).stdout.split()[-1] == b"137"


async def test_no_group_is_left_behind(
    runtime: ProcessRuntime, tmp_path: Path, enforced: set[str]
) -> None:
    needs(enforced, "memory")
    name = resources.name_of(tmp_path / "runtime")
    container = await run(runtime, tmp_path, shell("sleep 3600"))
    assert _groups(name)
    await runtime.stop_container(container, 0)
    await ended(runtime, container)
    async with asyncio.timeout(20):
        while _groups(name):
            await asyncio.sleep(0.05)


def _groups(name: str) -> list[Path]:
    """Return the groups of containers below a name, in whichever hierarchy."""
    return [
        group
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        if name in names
        for group in (Path(folder) / name).iterdir()
        if group.is_dir()
    ]


@given(st.integers(0, 512_000), st.integers(1, 512_000), st.integers(1, 1 << 45))
def test_both_versions_say_the_same(request: int, cpu: int, memory: int) -> None:
    """More for who asks for more, and the same share of a period."""
    asked = limits.Limits(cpu, request, memory)
    first, second = limits.version1(asked), limits.version2(asked)
    used, period = second["cpu"]["cpu.max"].split()
    assert (used, period) == (
        first["cpu"]["cpu.cfs_quota_us"], first["cpu"]["cpu.cfs_period_us"],
    )  # fmt: skip
    assert 1 <= limits.weight(request) <= 10_000
    assert limits.weight(request) <= limits.weight(request + 1)
    assert limits.shares(request) <= limits.shares(request + 1)
    assert first["memory"]["memory.limit_in_bytes"] == second["memory"]["memory.max"] == str(memory)


def test_the_kernel_s_documented_scale() -> None:
    """KEP-2254: shares 2, 1024 and 262144 are the weights 1, 39 and 10000."""
    assert [limits.weight(m) for m in (0, 1000, 256_000)] == [1, 39, 10_000]
    assert limits.quota(1) == 1000
    assert limits.version2(limits.Limits(pids=0))["pids"] == {}
