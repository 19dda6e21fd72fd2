"""Workloads that do what they should not, and hands that reach into a state directory: the others run on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.runtime.process import ProcessRuntime
from reconciler.runtime.process.supervisor.resources import name_of
from tests.chaos.site import Site, eventually
from tests.unit.runtime.running import ended, pod, shell

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: main, image: any:1, command: [/bin/sh, -c, {script!r}]}}]
"""


def add(site: Site, name: str, script: str) -> str:
    """Run a Pod beside those of the site; returns its uid."""
    (site.deploy / f"{name}.yaml").write_text(POD.format(name=name, script=script))
    eventually(lambda: phase(site, name), 60)
    uid: str = site.get("pod", name)["metadata"]["uid"]
    return uid


def phase(site: Site, name: str) -> str:
    found: str = site.get("pod", name)["status"].get("phase", "")
    return "" if found == "Running" else f"{name} is {found}"


def remove(site: Site, name: str) -> None:
    (site.deploy / f"{name}.yaml").unlink()
    eventually(
        lambda: (
            f"{name} is there" if not site.run("get", "pod", name, check=False).returncode else ""
        ),
        60,
    )


def supervisor(site: Site) -> int:
    pid = site.part("supervisor.serve")
    assert pid is not None
    return pid


def resident(pid: int) -> int:
    """A process's memory in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def ticks(pid: int) -> int:
    """What a process has computed, in clock ticks (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_flood_of_output_fills_no_disk_and_holds_up_nobody(site: Site) -> None:
    running = site.processes()
    uid = add(site, "flood", "exec yes 0123456789012345678901234567890123456789")
    logs = site.state / "pods" / uid / "logs/main"
    eventually(lambda: "" if (logs / "0.log.4").exists() else "it has not written 100 MB", 60)
    assert sum(p.stat().st_size for p in logs.iterdir()) < 120 << 20
    site.change()
    site.run("logs", "flood", "--tail", "1")
    assert resident(supervisor(site)) < 64
    assert resident(site.daemon()) < 200
    assert site.steady() <= set(running)
    remove(site, "flood")
    site.until_converged()


def test_a_workload_that_closes_its_output_costs_nothing(site: Site) -> None:
    add(site, "closed", "exec >&- 2>&- <&-; while :; do sleep 1; done")
    before = ticks(supervisor(site))
    for _ in range(8):
        site.run("get", "pods")  # some seconds: a loop that is busy would have used most of them
    assert ticks(supervisor(site)) - before < 50
    remove(site, "closed")


def test_a_supervisor_that_is_stopped_is_waited_for(site: Site) -> None:
    running = site.processes()
    pid = supervisor(site)
    os.kill(pid, signal.SIGSTOP)
    try:
        site.change()
        eventually(
            lambda: "" if site.get("configmap", "settings")["data"]["revision"] == str(site.revision) else "not applied", 30
        )  # fmt: skip
        assert site.steady() <= set(running)
    finally:
        os.kill(pid, signal.SIGCONT)
    site.until_converged()
    assert site.steady() <= set(running)


def test_logs_that_were_deleted_are_begun_anew(site: Site) -> None:
    uid = add(site, "talker", "while :; do echo said; sleep 0.2; done")
    shutil.rmtree(site.state / "pods" / uid / "logs")
    eventually(
        lambda: "" if "said" in site.run("logs", "talker", check=False).stdout else "no line", 60
    )
    remove(site, "talker")


def test_a_pod_whose_record_was_cut_short_runs_once(site: Site) -> None:
    running = site.processes()
    uid = site.get("pod", "steady-0")["metadata"]["uid"]
    site.kill("daemon")
    site.kill("supervisor")
    eventually(lambda: "it runs" if site.part("supervisor.serve") else "", 30)
    for record in (site.state / "runtime").glob(f"*/{uid}*/record.json"):
        os.truncate(record, 30)
    site.up()
    site.until_converged()
    others = {p for p in running if p.pod in ("steady-1", "steady-2")}
    assert others <= site.steady()
    assert {p for p in running if p.pod == "steady-0"}.isdisjoint(site.steady())


def test_a_copy_of_a_running_state_directory_is_another_node(site: Site, tmp_path: Path) -> None:
    running = site.processes()
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(site.state), str(copy)], check=True)
    command = [sys.executable, "-m", "reconciler", "--state-dir", str(copy)]
    ports = ("--http-port", "0", "--https-port", "0")
    up = [*command, "up", str(site.deploy), "--detach", "--wait", *ports]
    try:
        subprocess.run(up, check=True, capture_output=True, text=True, timeout=90)
        assert set(running) <= set(site.processes())
        assert len(site.steady()) == 6
    finally:
        subprocess.run([*command, "down"], check=True, capture_output=True, timeout=90)
    assert site.processes() == running
    site.until_converged()


async def test_a_thousand_restarts_leave_nothing_behind(tmp_path: Path) -> None:
    runtime = ProcessRuntime(tmp_path, clock=SystemClock())
    try:
        await runtime.open()
    except RuntimeFailure as failure:
        pytest.skip(f"no process runtime here: {failure}")
    try:
        sandbox = await runtime.run_pod_sandbox(pod(tmp_path))
        pid = (await runtime._connection.call("info"))["pid"]
        groups = name_of(tmp_path / "runtime")

        async def crash(attempt: int) -> None:
            config = shell("exit 1", attempt=attempt, log_path=f"main/{attempt}.log")
            container = await runtime.create_container(sandbox.id, config)
            await runtime.start_container(container)
            assert (await ended(runtime, container)).exit_code == 1
            await runtime.remove_container(container)

        def left() -> tuple[int, int, int, int]:
            # Others' groups come and go meanwhile: unlike a glob, a walk does not mind.
            walk = os.walk("/sys/fs/cgroup")
            held = sum(len(inside) for place, inside, _ in walk if place.endswith(f"/{groups}"))
            records = len(list((tmp_path / "runtime/containers").iterdir()))
            threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
            return len(list(Path(f"/proc/{pid}/fd").iterdir())), threads, records, held

        for attempt in range(100):
            await crash(attempt)
        before, memory = left(), resident(pid)
        for attempt in range(100, 1100):
            await crash(attempt)
        assert left() == before
        assert resident(pid) <= memory + 2
    finally:
        for one in await runtime.pods():
            await runtime.remove_pod_sandbox(one.id)
        await runtime.shutdown()
