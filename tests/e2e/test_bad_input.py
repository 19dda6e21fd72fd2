"""Bad input: a clear message, exit code 3 (or 1), and nothing that runs is touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import ROOT, Machine, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: file -> (rule or its beginning, line, something the message must say)
MISTAKES = {
    "alias-bomb.yaml": ("syntax/", None, "alias"),
    "boolean.yaml": ("schema/type", 7, "boolean true"),
    "dangling-reference.yaml": ("reference/", 17, "nowhere"),
    "duplicate-key.yaml": ("syntax/duplicate-key", 7, "colour"),
    "duplicate-object.yaml": ("reference/duplicate-object", 7, "duplicate-object"),
    "malformed.yaml": ("syntax/", 5, ""),
    "non-utf8.yaml": ("syntax/", 6, "UTF-8"),
    "outside.yaml": ("source/", None, "outside"),
    "selector.yaml": ("", None, "selector"),
    "tab.yaml": ("syntax/yaml", 6, "tab"),
    "template-reads-files.yaml.j2": ("template/", 6, ""),
    "template-undefined.yaml.j2": ("template/", 6, "colour"),
    "template-wrong-value.yaml.j2": ("schema/type", 12, "integer"),
    "unknown-field.yaml": ("schema/unknown-field", 6, 'did you mean "replicas"?'),
    "wrong-type.yaml": ("schema/", 6, "integer"),
}


@pytest.mark.parametrize("machine", ["self"], indirect=True)
def test_each_mistake_is_found_where_it_is(machine: Machine) -> None:
    done = machine.run("validate", ROOT / "examples/broken", "--format", "json", check=3)
    findings = json.loads(done.stdout)["findings"]
    for name, (rule, line, text) in MISTAKES.items():
        errors = [f for f in findings if f["file"].endswith(name) and f["severity"] == "error"]
        assert errors, f"nothing was found in {name}"
        assert any(f["rule"].startswith(rule) and text in f["message"] for f in errors), errors
        if line is not None:
            assert any(f["line"] == line for f in errors), errors
    known = {*MISTAKES}
    assert {f["file"].rpartition("/")[2] for f in findings if f["severity"] == "error"} == known


@pytest.mark.parametrize("machine", ["self"], indirect=True)
def test_an_invalid_directory_is_not_brought_up(machine: Machine) -> None:
    done = machine.run("up", ROOT / "examples/broken", "--detach", check=3)
    assert 'unknown field "replica"' in done.stdout + done.stderr
    machine.run("get", "pods", check=1)


@pytest.mark.parametrize("machine", ["self"], indirect=True)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [", ""),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: hello}\nspec: {replica: 1}\n",
            "replica",
        ),
        ("{{ nothing }}", ""),
    ],
)
def test_a_mistake_in_what_runs_touches_nothing(machine: Machine, content: str, says: str) -> None:
    path = machine.copy("hello")
    machine.up(path)
    before = {(p["metadata"]["name"], p["metadata"]["uid"]) for p in machine.pods()}
    (path / "mistake.yaml").write_text(content)

    def reported() -> bool:
        application = machine.json("get", "application", "hello")
        return says in json.dumps(
            application["status"].get("conditions", [])
        ) and "mistake.yaml" in json.dumps(application["status"])

    eventually(reported)
    assert {(p["metadata"]["name"], p["metadata"]["uid"]) for p in machine.pods()} == before
    assert machine.get("/")[0] == 200
    (path / "mistake.yaml").unlink()
    eventually(
        lambda: machine.json("get", "application", "hello")["status"]["sync"]["status"] == "Synced"
    )


@pytest.mark.parametrize("machine", ["self"], indirect=True)
def test_a_second_daemon_is_refused(machine: Machine) -> None:
    machine.up(machine.copy("hello"))
    done = machine.run("daemon", check=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(machine.state) in done.stderr


def test_no_permission_and_nothing_there_are_told_in_one_line(machine: Machine) -> None:
    done = machine.run("up", machine.work / "nowhere", check=None)
    assert done.returncode in (1, 2, 3)
    assert "nowhere" in done.stderr
    done = machine.run("get", "pods", check=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert "reconciler" in done.stderr


@pytest.mark.parametrize("machine", ["nobody"], indirect=True)
def test_a_state_directory_of_somebody_else(machine: Machine) -> None:
    done = machine.run("--state-dir", "/root/reconciler", "daemon", check=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert "/root/reconciler" in done.stderr


@pytest.mark.parametrize("machine", ["nobody"], indirect=True)
def test_an_unreadable_directory(machine: Machine) -> None:
    closed: Path = machine.work / "closed"
    closed.mkdir(mode=0o700)
    done = machine.run("validate", closed, check=None)
    assert done.returncode in (1, 3)
    assert "closed" in done.stderr + done.stdout


@pytest.mark.parametrize("machine", ["self"], indirect=True)
def test_another_directory_of_the_same_name_takes_nothing_away(machine: Machine) -> None:
    machine.up(machine.copy("hello"))
    before = {p["metadata"]["uid"] for p in machine.pods()}
    other = machine.work / "elsewhere/hello"
    other.mkdir(parents=True)
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
    (other / "other.yaml").write_text(manifest)

    done = machine.run("up", other, "--detach", check=1)
    assert "--name" in done.stderr
    assert {p["metadata"]["uid"] for p in machine.pods()} == before

    machine.up(other, "--name", "other")
    assert {p["metadata"]["uid"] for p in machine.pods()} == before
    assert {a["metadata"]["name"] for a in machine.json("get", "app")["items"]} == {
        "hello",
        "other",
    }
