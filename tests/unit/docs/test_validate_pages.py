"""The pages about checking manifests: their examples run, their options and inputs exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from click.testing import CliRunner

from reconciler.cli.validate import command, formats

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/validate.md").read_text()
ACTIONS = (ROOT / "docs/github-actions.md").read_text()
ACTION = yaml.safe_load((ROOT / ".github/actions/validate/action.yml").read_text())


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_example_prints_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = blocks("console")
    prompt, _, shown = block.partition("\n")
    arguments = shlex.split(prompt.removeprefix("$ reconciler validate "))
    done = CliRunner().invoke(command, arguments)
    assert done.output.strip() == shown.strip()


def test_every_option_of_the_page_exists() -> None:
    known = {flag for option in command.params for flag in option.opts}
    told = set(re.findall(r"(--[a-z][a-z-]+)", PAGE)) - {"--color"}
    assert told <= known


def test_the_ignored_example_is_ignored(tmp_path: Path) -> None:
    example = next(b for b in blocks("yaml") if "ignore=" in b)
    (tmp_path / "a.yaml").write_text(example)
    done = CliRunner().invoke(command, [str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "0 errors, 0 warnings, 1 ignored" in done.output


def test_every_format_has_its_row() -> None:
    for form in formats.FORMATS:
        assert re.search(rf"^\|.*`{form}`", PAGE, re.MULTILINE), form


def test_every_input_and_output_of_the_action_is_told() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (?:`([^`]*)`)?", ACTIONS, re.MULTILINE)
    assert {name for name, _ in rows} == set(ACTION["inputs"])
    for name, default in rows:
        if default:
            assert ACTION["inputs"][name]["default"] == default
    for name in ACTION["outputs"]:
        assert f"`{name}`" in ACTIONS


def test_the_workflow_of_the_page_uses_what_the_action_takes() -> None:
    (workflow,) = map(yaml.safe_load, blocks("yaml", ACTIONS))
    step = workflow["jobs"]["validate"]["steps"][-1]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert workflow["permissions"] == {"contents": "read"}
