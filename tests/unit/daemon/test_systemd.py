"""sd_notify(3), spoken to a socket that stands in systemd's place."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import LoopClock, SystemClock, run_virtual
from reconciler.daemon.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(manager: socket.socket) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while True:
        try:
            text = manager.recv(4096).decode()
        except BlockingIOError:
            return found
        found.append(dict(line.split("=", 1) for line in text.split("\n")))


def test_each_state_is_told(manager: socket.socket) -> None:
    notifier = Notifier(SystemClock(), manager.getsockname())
    notifier.ready("running")
    notifier.reloading()
    notifier.status("two\nlines")
    notifier.stopping("bye")
    first, second, third, fourth = heard(manager)
    assert first == {"READY": "1", "STATUS": "running"}
    assert second["RELOADING"] == "1"
    assert int(second["MONOTONIC_USEC"]) > 0
    assert third == {"STATUS": "two lines"}
    assert fourth == {"STOPPING": "1", "STATUS": "bye"}


def test_workloads_do_not_inherit_the_address(manager: socket.socket) -> None:
    environment = {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "2000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }
    notifier = Notifier.from_environment(SystemClock(), environment)
    assert environment == {"PATH": "/bin"}
    notifier.ready("running")
    assert len(heard(manager)) == 1


def test_the_watchdog_is_told_at_half_its_patience(manager: socket.socket) -> None:
    async def main() -> None:
        environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000000"}
        notifier = Notifier.from_environment(LoopClock(), environment)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(9.5):
                await notifier.watch()

    run_virtual(main())
    assert heard(manager) == [{"WATCHDOG": "1"}] * 10


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}])
def test_no_watchdog_or_another_process_s_is_left_alone(watchdog: dict[str, str]) -> None:
    run_virtual(Notifier.from_environment(LoopClock(), watchdog).watch())


def test_an_abstract_address_and_nobody_there() -> None:
    name = f"reconciler-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.setblocking(False)
        Notifier(SystemClock(), "@" + name).ready("running")
        assert heard(sock) == [{"READY": "1", "STATUS": "running"}]
    Notifier(SystemClock(), "@" + name).ready("nobody listens")
    Notifier(SystemClock()).ready("nobody is named")
