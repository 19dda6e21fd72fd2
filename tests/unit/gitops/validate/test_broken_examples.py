"""Every mistake of ``examples/broken`` is found at its line, through the command itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli.validate import command
from tests.e2e.test_bad_input import MISTAKES

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def errors() -> dict[str, list[dict[str, Any]]]:
    done = CliRunner().invoke(command, [str(ROOT / "examples/broken"), "--format", "json"])
    assert done.exit_code == 3, done.output
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.output)["findings"]:
        if finding["severity"] == "error":
            found.setdefault(finding["file"].rpartition("/")[2], []).append(finding)
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_where_it_is(errors: dict[str, list[dict[str, Any]]], name: str) -> None:
    rule, line, text = MISTAKES[name]
    assert any(f["rule"].startswith(rule) and text in f["message"] for f in errors[name])
    assert line is None or any(f["line"] == line for f in errors[name])


def test_nothing_else_is_found(errors: dict[str, list[dict[str, Any]]]) -> None:
    assert set(errors) == set(MISTAKES)


@pytest.mark.parametrize("example", ["hello", "shop"])
def test_sound_examples_have_no_findings(example: str) -> None:
    done = CliRunner().invoke(command, [str(ROOT / "examples" / example), "--strict"])
    assert done.exit_code == 0, done.output
