"""`sync` as a user meets it: to another revision, as a dry run, after a mistake. A daemon on the memory runtime over git."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import Machine, eventually
from tests.unit.gitops.source.git.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(
        [str(Path(sys.executable).parent / "reconciler")], tmp_path / "state", tmp_path, None
    )
    yield machine
    machine.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def settings(value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: '{value}'}}\n"


def follow(machine: Machine, origin: Origin) -> None:
    """Start a daemon that follows a repository's main branch, and wait until it is synced."""
    app = {
        "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {
            "source": {"git": {"url": origin.url, "ref": "main", "interval": "1h"}},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }  # fmt: skip
    (machine.work / "shop.yaml").write_text(json.dumps(app))
    (machine.work / "reconciler.yaml").write_text(
        "applications: [shop.yaml]\nnetwork: {httpPort: 0, httpsPort: 0}\n"
    )
    machine.start("--runtime", "memory", "daemon", "--config", machine.work / "reconciler.yaml")
    eventually(lambda: machine.run("sync", "shop", check=None).returncode == 0)


def value(machine: Machine) -> str:
    return str(machine.json("get", "configmap", "settings")["data"]["value"])


def test_another_revision_for_once_and_what_it_would_do_before(shop: Machine) -> None:
    origin = Origin(shop.work)
    first = origin.commit("first", settings=settings("first"))
    origin.git("tag", "v1")
    origin.git("push", "-q", "origin", "v1")
    origin.commit("second", settings=settings("second"))
    follow(shop, origin)
    assert value(shop) == "second"

    shown = shop.run("sync", "shop", "--revision", "v1", "--dry-run").stdout
    assert "- data.value: second" in shown
    assert "+ data.value: first" in shown
    assert value(shop) == "second"

    done = shop.run("sync", "shop", "--revision", "v1")
    assert value(shop) == "first"
    assert f"RevisionPinned: synced to {first} (v1)" in done.stderr
    last = shop.json("history", "shop")["history"][-1]
    assert (last["revision"], last["initiatedBy"]["trigger"]) == (first, "revision")

    # What is pushed is found by a dry run, and synced by the sync after it.
    third = origin.commit("third", settings=settings("third"))
    assert "+ data.value: third" in shop.run("sync", "shop", "--dry-run").stdout
    shop.run("sync", "shop")
    assert value(shop) == "third"
    assert shop.json("get", "application", "shop")["status"]["sync"] == {
        "status": "Synced", "revision": third,
    }  # fmt: skip
    # A commit of the history may be shortened; elsewhere all digits are asked for.
    shop.run("sync", "shop", "--revision", first[:9])
    assert value(shop) == "first"
    refused = shop.run("sync", "shop", "--revision", "nope", check=3)
    assert "does not have a branch or tag nope" in refused.stderr
    assert value(shop) == "first"


def test_a_sync_with_a_server_that_is_away_holds_to_what_was_read(shop: Machine) -> None:
    origin = Origin(shop.work)
    origin.commit("first", settings=settings("first"))
    follow(shop, origin)
    away = origin.served.rename(shop.work / "away")
    shop.run("delete", "configmap", "settings")
    done = shop.run("sync", "shop")
    assert "SourceError" in done.stderr
    assert value(shop) == "first"
    shop.run("plan", "--app", "shop", "--out", shop.work / "plan.json")
    shop.run("sync", "--plan", shop.work / "plan.json")
    last = shop.json("history", "shop")["history"][-1]
    assert last["initiatedBy"]["user"]
    away.rename(origin.served)


def test_what_was_wrong_before_is_not_said_of_what_is_right_now(shop: Machine) -> None:
    folder = shop.work / "files"
    folder.mkdir()
    manifest = folder / "settings.yaml"
    manifest.write_text(settings("first"))
    arguments = ("--runtime", "memory")
    shop.run(
        *arguments, "up", folder, "--detach", "--wait", "--http-port", "0", "--https-port", "0"
    )
    manifest.write_text("kind: [")
    eventually(lambda: shop.json("get", "application", "files")["status"].get("conditions"))
    manifest.write_text(settings("second"))
    shop.run(*arguments, "up", folder, "--detach", "--wait")
    assert value(shop) == "second"
