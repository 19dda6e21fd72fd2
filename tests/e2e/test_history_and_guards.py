"""History, rollback and guards as a user meets them: the command line over a daemon with the memory runtime."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(
        [str(Path(sys.executable).parent / "reconciler")], tmp_path / "state", tmp_path, None
    )
    (tmp_path / "shop").mkdir()
    yield machine
    machine.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def write(machine: Machine, value: str, *, claim: bool = False) -> None:
    """Let the directory say something else, and wait until it is so."""
    folder = machine.work / "shop"
    (folder / "settings.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: {value}}}\n"
        f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{password: {value}-hunter}}\n"
    )
    (folder / "claim.yaml").write_text(CLAIM if claim else "")


def value(machine: Machine) -> str:
    return str(machine.json("get", "configmap", "settings")["data"]["value"])


def test_a_bad_change_is_looked_up_compared_and_rolled_back(shop: Machine) -> None:
    write(shop, "good")
    shop.run(
        "--runtime", "memory", "up", "shop", "--detach", "--http-port", "0", "--https-port", "0"
    )
    eventually(lambda: value(shop) == "good")
    write(shop, "bad")
    eventually(lambda: value(shop) == "bad")

    records = eventually(lambda: (r := shop.json("history", "shop")["history"])[1:] and r)
    assert [r["initiatedBy"]["trigger"] for r in records] == ["source", "source"]
    assert {o["name"]: o["action"] for o in records[1]["objects"]} == {
        "settings": "update", "key": "update",
    }  # fmt: skip
    shown = shop.run("history", "shop", "--diff", "1", "2").stdout
    assert "- data.value: good" in shown
    assert "+ data.value: bad" in shown
    assert "hunter" not in shown
    for path in (shop.state / "history").rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"hunter" not in path.read_bytes()

    done = shop.run("rollback", "shop")
    assert value(shop) == "good"
    assert "RolledBack" in done.stderr
    assert "RolledBack" in shop.run("status", "shop").stdout
    assert "'7'" in shop.run("rollback", "shop", "7", check=1).stderr
    assert shop.json("history", "shop")["history"][-1]["initiatedBy"]["trigger"] == "rollback"
    # A new revision of the source ends it.
    write(shop, "better")
    eventually(lambda: value(shop) == "better")
    assert "RolledBack" not in shop.run("status", "shop").stdout


def test_data_waits_for_a_confirmation_and_a_suspended_application_for_its_time(
    shop: Machine,
) -> None:
    write(shop, "one", claim=True)
    shop.run(
        "--runtime", "memory", "up", "shop", "--detach", "--http-port", "0", "--https-port", "0"
    )
    eventually(lambda: value(shop) == "one")
    write(shop, "two")
    eventually(lambda: value(shop) == "two")
    eventually(lambda: "PruneHeld" in shop.run("status", "shop").stdout)
    assert shop.json("get", "pvc")["items"]
    done = shop.run("sync", "shop", "--confirm-prune")
    assert "- PersistentVolumeClaim default/data" in done.stdout
    eventually(lambda: not shop.json("get", "pvc")["items"])

    assert "until" in shop.run("suspend", "shop", "--until", "2h").stdout
    assert "reconciler resume shop" in shop.run("sync", "shop", check=1).stderr
    assert "duration such as 2h" in shop.run("suspend", "shop", "--until", "soon", check=2).stderr
    write(shop, "three")
    shop.run("resume", "shop")
    shop.run("sync", "shop")
    assert value(shop) == "three"


def test_history_of_what_is_not_there_is_one_line(shop: Machine) -> None:
    assert "no sync of an Application 'nope'" in shop.run("history", "nope", check=1).stderr
    assert "is not the name" in shop.run("history", "../../etc", check=1).stderr
