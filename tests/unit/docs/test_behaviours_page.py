"""docs/behaviours.md says which behaviours tests name, and why the others are not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).parents[3] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("behaviours", DOCS / "behaviours.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current() -> None:
    """Run ``python docs/behaviours.py`` where it is not."""
    assert (DOCS / "behaviours.md").read_text() == _generator().page()


def test_what_is_not_covered_has_a_reason_and_what_is_has_none() -> None:
    generator = _generator()
    named = generator.named()
    rows = [row for group in generator.groups() for row in group["rows"]]
    assert len({row["id"] for row in rows}) == len(rows)
    without = [r["id"] for r in rows if r["id"] not in named and not generator.reason(r)]
    stale = [r["id"] for r in rows if r["id"] in named and "uncovered" in r]
    assert not without
    assert not stale
