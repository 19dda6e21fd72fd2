"""docs/schemas.md: its commands run as they stand, and the line that it prints for an editor leads to a schema."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from pathlib import Path

import jsonschema
import pytest

from reconciler.cli.main import main

PAGE = (Path(__file__).parents[4] / "docs/schemas.md").read_text()


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]) -> str:
    with pytest.raises(SystemExit) as done:
        main(["--state-dir", str(tmp_path), *words])
    assert not done.value.code
    return capsys.readouterr().out


def test_what_it_shows_can_be_typed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = re.findall(r"^reconciler (schemas (?:list|show|path).*)$", PAGE, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        assert run(capsys, tmp_path, shlex.split(line, comments=True))


def test_the_line_for_an_editor_leads_to_a_schema(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (written,) = re.findall(
        r'^\$ echo "# yaml-language-server: \\\$schema=(.*)"$', PAGE, re.MULTILINE
    )
    (command,) = re.findall(r"\$\(reconciler (.*)\)", written)
    path = run(capsys, tmp_path, shlex.split(command)).strip()
    url = re.sub(r"\$\(.*\)", path, written)
    with urllib.request.urlopen(url) as opened:
        schema = json.load(opened)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "Deployment apps/v1"
    assert schema["properties"]["spec"]["description"]
