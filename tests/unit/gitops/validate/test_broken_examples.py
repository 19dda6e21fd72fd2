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

#: Every finding: file, rule, line, column, and the column behind its end where that is known.
PLACES = {
    ("alias-bomb.yaml", "syntax/alias-bomb", 10, 8, None),
    ("boolean.yaml", "schema/type", 7, 12, 15),
    ("dangling-reference.yaml", "reference/config-map", 17, 32, 39),
    ("dangling-reference.yaml", "reference/secret-key", 21, 59, 65),
    ("dangling-reference.yaml", "reference/service", 34, 31, 38),
    ("duplicate-key.yaml", "syntax/duplicate-key", 7, 3, 9),
    ("duplicate-object.yaml", "reference/duplicate-object", 7, 1, 1),
    ("ignored.yaml", "ignore/no-reason", 7, 10, 51),
    ("ignored.yaml", "ignore/unused", 8, 17, 67),
    ("malformed.yaml", "syntax/yaml", 5, 19, None),
    ("non-utf8.yaml", "syntax/encoding", 6, 13, None),
    ("outside.yaml", "source/outside", 1, 1, None),
    ("selector.yaml", "rule/selector-match", 11, 7, 13),
    ("tab.yaml", "syntax/yaml", 6, 1, None),
    ("template-reads-files.yaml.j2", "template/forbidden", 6, 20, 29),
    ("template-undefined.yaml.j2", "template/undefined", 6, 14, 20),
    ("template-wrong-value.yaml.j2", "schema/type", 12, 13, 23),
    ("unknown-field.yaml", "schema/unknown-field", 6, 3, 10),
    ("wrong-type.yaml", "schema/type", 6, 13, 20),
}


@pytest.fixture(scope="module")
def errors() -> dict[str, list[dict[str, Any]]]:
    done = CliRunner().invoke(command, [str(ROOT / "examples/broken"), "--format", "json"])
    assert done.exit_code == 3, done.output
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.output)["findings"]:
        if finding["severity"] == "error":
            found.setdefault(finding["file"].rpartition("/")[2], []).append(finding)
    return found


def test_every_mistake_is_found_at_its_line_and_column() -> None:
    done = CliRunner().invoke(command, [str(ROOT / "examples/broken"), "--format", "json"])
    found = {
        (f["file"].rpartition("/")[2], f["rule"], f["line"], f["column"], f.get("endColumn"))
        for f in json.loads(done.output)["findings"]
    }
    assert found == PLACES


def test_of_a_template_both_places_are_told(errors: dict[str, list[dict[str, Any]]]) -> None:
    (finding,) = errors["template-wrong-value.yaml.j2"]
    assert finding["rendered"] == {"line": 11, "column": 13}


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
