"""JUnit's XML by the schema that Jenkins reads it with: it is in pytest's source distribution, and its path in $JUNIT_XSD
(CI does that).
"""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from click.testing import CliRunner

from reconciler.cli.main import group

ROOT = Path(__file__).parents[4]
SCHEMA = Path(os.environ.get("JUNIT_XSD") or "/nonexistent")

pytestmark = pytest.mark.skipif(
    not SCHEMA.is_file(), reason="$JUNIT_XSD is no schema of JUnit's XML"
)


@pytest.mark.parametrize("folder", ["examples/broken", "examples/hello"])
def test_a_report_is_as_its_schema_says(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(group, ["validate", folder, "--format", "junit", "--no-cache"])
    assert done.exit_code in (0, 3), done.output
    xmlschema.XMLSchema(SCHEMA).validate(done.stdout)
    failed = ET.fromstring(done.stdout).iter("failure")
    assert any(True for _ in failed) == (folder == "examples/broken")
