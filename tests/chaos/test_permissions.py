"""A state directory in which something may not be read: that is said in a line, nothing that runs is touched, and it heals."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

SLEEPER = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: any:1, command: [sleep, "{seconds}"]}}]
"""
DETACHED = ("--detach", "--http-port", "0", "--https-port", "0")
SECONDS = 7_700_000 + os.getpid()


@pytest.fixture
def sleeping(machine: Machine) -> Machine:
    if machine.user is None and os.geteuid() == 0:
        pytest.skip("nothing is denied to root")
    deploy = machine.work / "deploy"
    deploy.mkdir(mode=0o755)
    (deploy / "sleeper.yaml").write_text(SLEEPER.format(name="sleeper", seconds=SECONDS))
    machine.up(deploy)
    return machine


def found(*words: str) -> list[int]:
    """Return the processes whose arguments hold all the words."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().decode(errors="replace")
            if all(word in line for word in words):
                pids.append(int(entry.parent.name))
    return pids


def sleeper() -> list[int]:
    return found(f"sleep\0{SECONDS}\0")


@contextlib.contextmanager
def closed(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode & 0o777
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)


def kill(machine: Machine, *words: str) -> None:
    for pid in (pids := found(str(machine.state), *words)):
        os.kill(pid, signal.SIGKILL)
    assert pids
    eventually(lambda: not found(str(machine.state), *words))


def refused(machine: Machine, what: Path, *arguments: str | Path) -> None:
    """A command says in one line which file it may not read."""
    done = machine.run(*arguments, check=1)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Permission denied" in done.stderr
    assert str(what) in done.stderr
    assert "fault of reconciler" not in done.stderr


def test_a_closed_state_directory_is_not_taken_for_an_empty_one(sleeping: Machine) -> None:
    """Neither does a command say that no daemon runs, nor does one start another."""
    daemon, running = sleeping.daemon_pid(), sleeper()
    for part in (sleeping.state, sleeping.state / "daemon.lock"):
        with closed(part):
            refused(sleeping, part, "get", "pods")
            refused(sleeping, part, "up", sleeping.work / "deploy", *DETACHED)
            refused(sleeping, part, "down")
    assert sleeping.daemon_pid() == daemon
    assert sleeper() == running
    assert len(sleeping.pods()) == 1


@pytest.mark.parametrize("dead", ["daemon", "both"])
def test_what_may_not_be_read_is_named_and_touches_nothing(sleeping: Machine, dead: str) -> None:
    state, running = sleeping.state, sleeper()
    kill(sleeping, "\0daemon")
    parts = ["daemon.log", "daemon.lock", "format", "cluster.db", "keys", "run"]
    if dead == "both":
        kill(sleeping, "supervisor.serve")
        files = ("supervisor.log", "lock", "node.json", "origin.json")
        parts = ["runtime", *(f"runtime/{name}" for name in files)]
    for part in parts:
        with closed(state / part):
            refused(sleeping, state / part, "up", sleeping.work / "deploy", *DETACHED)
        assert sleeper() == running
    sleeping.up(sleeping.work / "deploy")
    assert sleeper() == running


def test_a_daemon_goes_on_without_what_it_may_not_read_any_more(sleeping: Machine) -> None:
    """A Pod waits until its directory can be made; what only keeps the past holds up nothing."""
    state, running = sleeping.state, sleeper()
    more = sleeping.work / "deploy/more.yaml"
    with closed(state / "history"), closed(state / "sources"):
        more.write_text(SLEEPER.format(name="more", seconds=SECONDS + 1))
        eventually(lambda: found(f"sleep\0{SECONDS + 1}\0"))
    with closed(state / "pods"):
        more.write_text(SLEEPER.format(name="late", seconds=SECONDS + 2))
        eventually(lambda: "Permission denied" in sleeping.run("events").stdout)
    eventually(lambda: found(f"sleep\0{SECONDS + 2}\0"), 60)
    assert sleeper() == running
