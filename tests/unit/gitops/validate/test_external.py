"""Rules that an installed package brings are asked, switched and told like our own."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.unit.cli.line import Done, reconciler

PAGE = Path(__file__).parents[4] / "docs/validate.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package as pip installs one."""
    site = tmp_path / "site"
    info = site / "acme_rules-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[reconciler.rules]\nacme = acme_rules:RULES\n")
    module = site / "acme_rules.py"
    module.write_text(CODE)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return module


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    return path


def run(manifest: Path, *options: str) -> Done:
    sys.modules.pop("acme_rules", None)
    state = ["--state-dir", str(manifest.parent / "state")]
    return reconciler(*state, "validate", str(manifest), "--format", "json", *options)


def told(manifest: Path, *options: str) -> list[tuple[str, str]]:
    found = json.loads(run(manifest, *options).stdout)["findings"]
    return [(f["rule"], f["severity"]) for f in found]


def test_it_is_asked_and_switched(package: Path, manifest: Path) -> None:
    assert told(manifest) == [("acme/team", "warning")]
    done = run(manifest, "--format", "text")
    assert (
        "a.yaml:3:1: warning: metadata.labels: every object names its team [acme/team]"
        in done.stdout
    )
    assert told(manifest, "--rule", "acme/team=error") == [("acme/team", "error")]
    assert told(manifest, "--rule", "acme/team=off") == []
    assert 'did you mean "acme/team"?' in run(manifest, "--rule", "acme/teem=off").stderr


def test_what_is_kept_holds_no_longer_once_the_package_changes(
    package: Path, manifest: Path
) -> None:
    assert told(manifest) == [("acme/team", "warning")]
    package.write_text(CODE.replace('"warning"', '"error"').replace("yield", "if True: yield"))
    assert told(manifest) == [("acme/team", "error")]


def test_packages_of_older_forms_are_found(package: Path, manifest: Path) -> None:
    info = package.parent / "acme_rules-1.0.dist-info"
    (info / "METADATA").rename(info / "PKG-INFO")
    info = info.rename(package.parent / "acme_rules.egg-info")
    assert told(manifest) == [("acme/team", "warning")]


def test_a_package_in_an_archive_is_found(
    package: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = shutil.make_archive(str(manifest.parent / "rules"), "zip", package.parent)
    shutil.rmtree(package.parent)
    monkeypatch.syspath_prepend(archive)
    assert told(manifest) == [("acme/team", "warning")]


def test_a_rule_that_fails_is_a_finding(package: Path, manifest: Path) -> None:
    package.write_text(CODE.replace('obj["metadata"]', 'obj["nothing"]'))
    found = json.loads(run(manifest).stdout)["findings"]
    assert [f["message"] for f in found] == ["the rule failed: KeyError"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("RULES = [", "RULES = [1, ", "expected an ExternalRule"),
        ('ExternalRule("acme/team"', 'ExternalRule("schema/type"', "vendor/name"),
        ('"warning"', '"loud"', "expected one of"),
        ("RULES =", "raise ImportError('no')\nRULES =", "cannot be loaded: ImportError: no"),
    ],
)
def test_a_package_that_is_wrong_is_named(
    package: Path, manifest: Path, old: str, new: str, why: str
) -> None:
    package.write_text(CODE.replace(old, new))
    done = run(manifest)
    assert done.exit_code == 1
    assert "acme-rules 1.0" in done.stderr or "acme" in done.stderr
    assert why in done.stderr
