"""A plan is shown, kept, approved and synced, through the command line."""

from __future__ import annotations

import json
import stat

import pytest

from tests.e2e.machine import Machine, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s}\n"
SECRET = (
    "---\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: hunter2}\n"
)
APPLICATION = """
apiVersion: reconciler.dev/v1
kind: Application
metadata: {name: shop}
spec:
  source: {directory: {path: %s}}
  destination: {namespace: default}
"""


def test_a_plan_is_kept_and_synced_just_so_or_refused(machine: Machine) -> None:
    files = machine.work / "deploy"
    files.mkdir()
    settings = files / "a.yaml"
    settings.write_text(SETTINGS % "red" + SECRET)
    (machine.work / "app.yaml").write_text(APPLICATION % files)
    (machine.work / "reconciler.yaml").write_text("applications: [app.yaml]\n")
    machine.start("--runtime", "memory", "daemon", "--config", machine.work / "reconciler.yaml")
    eventually(lambda: machine.run("plan", "--app", "shop", check=None).returncode == 0)

    kept = machine.work / "plan.json"
    done = machine.run("plan", "--app", "shop", "--out", kept, "--exit-code", check=4)
    assert "2 to create, 0 to update, 0 to prune, 0 unchanged" in done.stdout
    assert "hunter2" not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    machine.run("sync", "--plan", kept)
    assert machine.run("plan", "--app", "shop", "--exit-code").stdout.startswith("0 to create")

    settings.write_text(SETTINGS % "blue" + SECRET)
    eventually(
        lambda: machine.run("plan", "--app", "shop", "--exit-code", check=None).returncode == 4
    )
    told = machine.run("plan", "--app", "shop", "--out", kept).stdout
    assert "- data.colour: red\n     + data.colour: blue" in told
    patch = machine.run("plan", "--app", "shop", "--format", "json").stdout
    assert json.loads(patch)["kind"] == "Plan"

    settings.write_text(SETTINGS % "green" + SECRET)
    eventually(lambda: "green" in machine.run("plan", "--app", "shop").stdout)
    refused = machine.run("sync", "--plan", kept, check=1)
    assert (
        "update ConfigMap default/settings: it, or what is wanted of it, has changed since"
        in refused.stderr
    )
    assert "the plan of shop is stale, nothing was changed" in refused.stderr
    assert '"colour": "red"' in machine.run("get", "configmap", "settings", "-o", "json").stdout

    machine.run("sync", "other", "--plan", kept, check=2)
    settings.with_suffix(".txt").write_text("{}")
    machine.run("sync", "--plan", settings.with_suffix(".txt"), check=1)
    machine.run("plan", files, "--out", kept, check=2)
