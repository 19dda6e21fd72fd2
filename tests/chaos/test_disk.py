"""What a full disk and a broken database do: they are said, and nothing that runs is touched."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.chaos.site import Site, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state directory on a disk of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "chaos", str(state)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this host lets nobody mount a tmpfs")
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def fill(state: Path) -> Path:
    """Fill the disk to its last byte."""
    ballast = state / "ballast"
    room = os.statvfs(state)
    with ballast.open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    return ballast


def test_a_full_disk_is_said_touches_nothing_and_heals(small: Path, tmp_path: Path) -> None:
    with Site(tmp_path / "site", small) as site:
        site.up(wait=True)
        site.until_converged()
        running = site.processes()
        ballast = fill(small)
        site.change()
        eventually(
            lambda: "" if "disk is full" in site.run("status").stdout else "status does not say it",
            30,
        )
        assert site.processes() == running

        site.kill("daemon")
        refused = site.run("up", str(site.deploy), "--detach", check=False)
        assert refused.returncode == 1
        assert site.processes() == running

        ballast.unlink()
        site.up()
        site.until_converged()
        assert site.steady() <= set(running)
        assert "disk is full" not in site.run("status").stdout


@pytest.mark.parametrize("damage", ["overwritten", "truncated"])
def test_a_broken_database_is_refused_and_a_good_one_goes_on(site: Site, damage: str) -> None:
    running = site.processes()
    site.kill("daemon", signal.SIGTERM)
    eventually(lambda: "it runs" if site.part("\0daemon") else "", 30)
    database = site.state / "cluster.db"
    good = database.read_bytes()
    if damage == "overwritten":
        middle = len(good) // 8192 * 4096
        database.write_bytes(good[:middle] + os.urandom(4096) + good[middle + 4096 :])
    else:
        database.write_bytes(good[: len(good) // 2])
    refused = site.run("up", str(site.deploy), "--detach", check=False)
    assert refused.returncode == 1
    assert "corrupt" in refused.stderr
    assert "restore a backup" in refused.stderr
    assert site.processes() == running

    database.write_bytes(good)
    site.up()
    site.until_converged()
    assert site.processes() == running


def test_a_log_that_was_cut_short_loses_no_workload(site: Site) -> None:
    running = site.processes()
    site.kill("daemon")
    eventually(lambda: "it runs" if site.part("\0daemon") else "", 30)
    log = site.state / "cluster.db-wal"
    os.truncate(log, log.stat().st_size - 2000)
    site.up()
    site.until_converged()
    assert site.processes() == running


def test_a_second_daemon_is_refused_by_name(site: Site) -> None:
    running = site.processes()
    second = site.run("daemon", "--http-port", "0", "--https-port", "0", check=False)
    assert second.returncode == 1
    assert f"a daemon already runs on {site.state} (pid {site.daemon()})" in second.stderr
    assert site.processes() == running
