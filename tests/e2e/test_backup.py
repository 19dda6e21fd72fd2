"""A shop with orders is backed up while it sells, and goes on elsewhere from the backup."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ORDERED = "<td>bread<td>3.20 EUR<td>1<td>"


def elsewhere(machine: Machine) -> Machine:
    """Return another machine for the same user: another state directory, and where we may, another host name."""
    command = machine.command
    if machine.user is None and os.geteuid() == 0 and shutil.which("unshare"):
        renamed = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$0" "$@"']
        probe = subprocess.run([*renamed, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            command = [*renamed, *command]
    return Machine(command, machine.work / "elsewhere", machine.work, machine.user)


def order(machine: Machine) -> None:
    subprocess.run(
        ["curl", "-sSf", "-m", "10", "-d", "product=bread", machine.ingress() + "/order"],
        check=True, capture_output=True,
    )  # fmt: skip


def has_order(machine: Machine) -> bool:
    return ORDERED in machine.get("/")[1].replace("\n", "")


def test_a_shop_goes_on_elsewhere_with_its_orders(machine: Machine) -> None:
    machine.copy("shop")
    machine.up(machine.work / "shop")
    order(machine)
    eventually(lambda: has_order(machine))
    uid = machine.json("get", "service", "frontend", "-n", "shop")["metadata"]["uid"]

    file = machine.work / "backup.tar.gz"
    said = machine.run("backup", file, "--volumes").stdout
    assert "MiB of state" in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert machine.get("/")[0] == 200  # nothing was stopped for it
    machine.run("restore", file, check=1)  # a daemon runs there
    assert "is whole" in machine.run("restore", file, "--check").stdout
    machine.run("down", "--volumes")

    other = elsewhere(machine)
    try:
        other.run("restore", file)
        other.up(machine.work / "shop")
        eventually(lambda: has_order(other))
        assert other.json("get", "service", "frontend", "-n", "shop")["metadata"]["uid"] == uid
        nodes = other.json("get", "nodes")["items"]
        assert len(nodes) == 1
        order(other)
    finally:
        other.close()


def test_without_volumes_a_shop_begins_anew_and_what_was_there_is_kept_aside(
    machine: Machine,
) -> None:
    machine.copy("shop")
    machine.up(machine.work / "shop")
    order(machine)
    eventually(lambda: has_order(machine))
    file = machine.work / "backup.tar.gz"
    machine.run("backup", file)
    machine.run("down")

    refused = machine.run("restore", file, check=1).stderr
    assert "--force" in refused
    assert "begin empty" in machine.run("restore", file, "--force").stdout
    assert aside(machine.work)
    machine.up(machine.work / "shop")
    assert machine.get("/")[0] == 200
    assert not has_order(machine)


def aside(work: Path) -> list[Path]:
    return [p for p in work.iterdir() if p.name.startswith("state.replaced-")]
