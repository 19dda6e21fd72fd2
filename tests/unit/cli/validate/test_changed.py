"""A pull request hears of what it touched and of what refers to that, and of nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from reconciler.cli.validate import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec: {containers: [{name: c, image: i, envFrom: [{configMapRef: {name: %s}}]}]}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "settings.yaml").write_text(CONFIG)
    (folder / "web.yaml").write_text(POD % ("web", "web", "settings"))
    (folder / "service.yaml").write_text(SERVICE)
    (folder / "old.yaml").write_text(POD % ("old", "old", "elsewhere"))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return folder


def told(folder: Path, *options: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    done = CliRunner().invoke(
        command, [str(folder), "--format", "json", "--changed-since", "main", *options]
    )
    assert done.exit_code in (0, 3), done.output
    found = json.loads(done.stdout)
    names = [(f["file"].rpartition("/")[2], f["rule"]) for f in found["findings"]]
    return names, found["summary"]


def test_where_nothing_changed_nothing_is_told(checkout: Path) -> None:
    assert told(checkout) == ([], {
        "files": 0, "documents": 0, "errors": 0, "warnings": 0, "skipped": 0, "ignored": 0,
    })  # fmt: skip


def test_a_new_mistake_is_told_and_an_old_one_elsewhere_is_not(checkout: Path) -> None:
    (checkout / "new.yaml").write_text(CONFIG.replace("settings", "new") + "datum: {}\n")
    found, summary = told(checkout)
    assert found == [("new.yaml", "schema/unknown-field")]
    assert (summary["files"], summary["documents"]) == (1, 1)


def test_what_refers_to_a_removed_object_is_told(checkout: Path) -> None:
    (checkout / "settings.yaml").unlink()
    assert told(checkout)[0] == [("web.yaml", "reference/config-map")]


def test_what_selected_changed_labels_is_told(checkout: Path) -> None:
    (checkout / "web.yaml").write_text(POD % ("web", "other", "settings"))
    assert told(checkout)[0] == [("service.yaml", "reference/selector")]


def test_a_changed_partial_concerns_every_template(checkout: Path) -> None:
    (checkout / "t.yaml.j2").write_text("{% include '_p.j2' %}")
    (checkout / "_p.j2").write_text(CONFIG.replace("settings", "t"))
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "second")
    (checkout / "_p.j2").write_text(CONFIG.replace("settings", "t") + "datum: {}\n")
    assert told(checkout)[0] == [("_p.j2", "schema/unknown-field")]


@pytest.mark.parametrize("ref", ["nowhere", "--all"])
def test_an_unknown_commit_is_told_in_one_line(checkout: Path, ref: str) -> None:
    done = CliRunner().invoke(command, [str(checkout), f"--changed-since={ref}"])
    assert done.exit_code != 0
    assert ref in str(done.exception)


def test_what_the_other_branch_got_since_is_no_change_of_this_one(checkout: Path) -> None:
    """As GitHub compares a pull request: with where it left its base."""
    git(checkout, "checkout", "-qb", "feature")
    (checkout / "web.yaml").write_text(POD % ("web", "web", "gone"))
    git(checkout, "commit", "-qam", "feature")
    git(checkout, "checkout", "-q", "main")
    (checkout / "old.yaml").write_text(POD % ("old", "old", "gone"))
    git(checkout, "commit", "-qam", "main went on")
    git(checkout, "checkout", "-q", "feature")
    names, summary = told(checkout)
    assert names == [("web.yaml", "reference/config-map")]
    assert summary["files"] == 1
