"""SARIF as the standard's schema and the validator of SARIF's own people see it: `npm install @microsoft/sarif-multitool-linux`,
and its folder in $SARIF_MULTITOOL (CI does that).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from reconciler.cli.main import group

ROOT = Path(__file__).parents[4]
TOOL = Path(os.environ.get("SARIF_MULTITOOL", ""))

pytestmark = pytest.mark.skipif(
    not (TOOL / "Sarif.Multitool").is_file(), reason="$SARIF_MULTITOOL has no SARIF validator"
)


@pytest.fixture(params=["relative", "absolute"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the log of examples/broken."""
    monkeypatch.chdir(ROOT)
    folder = "examples/broken" if request.param == "relative" else str(ROOT / "examples/broken")
    arguments = ["validate", folder, "--format", "sarif", "--no-cache"]
    done = CliRunner().invoke(group, arguments)
    assert done.exit_code == 3, done.output
    return done.stdout


def test_it_keeps_to_the_standard_s_schema(log: str) -> None:
    schema = json.loads((TOOL / "sarif-2.1.0.json").read_text(encoding="utf-8-sig"))
    found = json.loads(log)
    assert found["runs"][0]["results"]
    jsonschema.validators.validator_for(schema)(schema).validate(found)


def test_its_own_people_s_validator_finds_no_error(log: str, tmp_path: Path) -> None:
    file = tmp_path / "out.sarif"
    file.write_text(log)
    tool = TOOL / "Sarif.Multitool"
    tool.chmod(0o755)
    said = subprocess.run(
        [tool, "validate", file, "--output", tmp_path / "report.sarif"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
    ).stdout  # fmt: skip
    assert "Analysis completed successfully" in said
    assert ": error " not in said, said
