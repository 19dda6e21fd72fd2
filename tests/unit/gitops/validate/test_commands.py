"""``validate`` and ``render`` as a user calls them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import render, validate
from reconciler.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import click

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      image: nginx
      envFrom: [{configMapRef: {name: settings}}]
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"


def test_paths_are_checked_as_one_set(tmp_path: Path) -> None:
    pod, settings = tmp_path / "pod.yaml", tmp_path / "settings.yaml"
    pod.write_text(POD)
    settings.write_text(SETTINGS)
    alone = CliRunner().invoke(validate.command, [str(pod)])
    assert alone.exit_code == 3
    assert alone.output.splitlines() == [
        f"{pod}:8:39: error: there is no ConfigMap settings in namespace default [reference/config-map]",
        "1 file, 1 document: 1 error, 0 warnings",
    ]
    for arguments in ([str(pod), str(settings)], [str(pod), "--no-references"]):
        done = CliRunner().invoke(validate.command, arguments)
        assert done.exit_code == 0, done.output


def test_standard_input_is_checked() -> None:
    done = CliRunner().invoke(validate.command, ["-", "--format", "json"], input=POD)
    assert done.exit_code == 3
    found = json.loads(done.output)
    assert found["summary"] == {
        "files": 1, "documents": 1, "errors": 1, "warnings": 0, "skipped": 0, "ignored": 0,
    }  # fmt: skip
    (finding,) = found["findings"]
    del finding["docs"]
    assert finding == {
        "rule": "reference/config-map", "severity": "error",
        "message": "there is no ConfigMap settings in namespace default",
        "file": "-", "line": 8, "column": 39, "endLine": 8, "endColumn": 47, "document": 0,
        "object": {"apiVersion": "v1", "kind": "Pod", "namespace": "", "name": "web"},
        "path": "/spec/containers/0/envFrom/0/configMapRef/name",
        "expected": "a ConfigMap", "got": "settings",
    }  # fmt: skip


def test_strict_makes_errors_of_warnings(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/kustomization.yaml").write_text("resources: []\n")
    assert CliRunner().invoke(validate.command, [str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(validate.command, [str(tmp_path), "--strict"]).exit_code == 3


def test_a_manifests_words_do_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('apiVersion: v1\nkind: Pod\nmetadata: {"x\\e[31m": 1}\n')
    done = CliRunner().invoke(validate.command, [str(tmp_path)])
    assert done.exit_code == 3
    assert "\x1b" not in done.output
    assert "\\x1b[31m" in done.output


@pytest.mark.parametrize("verb", [validate.command, render.command])
def test_a_missing_path_is_named(verb: click.Command, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: No such file"):
        CliRunner().invoke(verb, [str(tmp_path / "nowhere")], catch_exceptions=False)


def test_render_prints_what_would_be_synced(tmp_path: Path) -> None:
    (tmp_path / "a.yaml.j2").write_text(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ name }}}\ndata:\n  a: "y"\n'
        '  b: "1e3"\n  c: "12:30"\n  d: |\n    two\n    lines\n'
    )
    (tmp_path / "values.txt").write_text("name: given\n")
    done = CliRunner().invoke(
        render.command, [str(tmp_path), "--values", str(tmp_path / "values.txt")]
    )
    assert done.exit_code == 0, done.output
    (printed,) = yaml.safe_load_all(done.stdout)
    assert printed["metadata"]["name"] == "given"
    data = {"a": "y", "b": "1e3", "c": "12:30", "d": "two\nlines\n"}
    assert printed["data"] == data
    (tmp_path / "again").mkdir()
    (tmp_path / "again/a.yaml").write_text(done.stdout)
    again = CliRunner().invoke(render.command, [str(tmp_path / "again")])
    assert again.stdout.splitlines()[2:] == done.stdout.splitlines()[2:]


def test_render_says_what_is_wrong_and_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    done = CliRunner().invoke(render.command, [str(tmp_path)])
    assert done.exit_code == 3
    assert not done.stdout
    assert "[syntax/yaml]" in done.stderr


def test_rules_are_switched_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: x}\n"
    )
    runner = CliRunner()

    def run(*options: str) -> int:
        return runner.invoke(validate.command, [str(tmp_path), "--no-cache", *options]).exit_code

    assert run() == 0
    assert run("--rule", "practice/plain-secret=error") == 3
    assert run("--rule", "practice/*=error", "--rule", "practice/plain-secret=off") == 0
    assert run("--rule", "practice/plain-secrets=error") == 2
