"""docs/configuration.md: its table is the schema's, its example is valid."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reconciler.api import schemas
from reconciler.config import load
from schemas.generate import with_options

PAGE = Path(__file__).parents[3] / "docs/configuration.md"


def test_the_table_of_options_is_made_of_the_schema() -> None:
    schema = json.loads((schemas.directory() / "reconciler.json").read_text())
    assert PAGE.read_text() == with_options(PAGE.read_text(), schema), (
        "run: python -m schemas.generate DEFINITIONS.json"
    )


def test_the_example_is_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert examples
    for text in examples:
        path = tmp_path / "reconciler.yaml"
        path.write_text(text)
        load(path)
