"""A report in the form that a reader wants: each format is a module with ``lines(report)``. Pure."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.cli.validate.report import Report

#: Names and modules; ``auto`` is ``human`` on a terminal and ``text`` elsewhere.
FORMATS = {
    "human": "human",
    "text": "text",
    "json": "structured",
    "ndjson": "ndjson",
    "junit": "junit",
    "sarif": "sarif",
    "tap": "tap",
    "github": "github",
    "markdown": "markdown",
}


def lines(form: str, report: Report) -> Iterable[str]:
    """Yield the lines of a report in a format."""
    module = importlib.import_module(f"{__name__}.{FORMATS[form]}")
    written: Iterable[str] = module.lines(report)
    return written


_LINK = re.compile(r"\033\]8;;.*?\033\\")


def plain(line: str) -> str:
    """Return a line without its colours and links."""
    if "\033" not in line:
        return line
    import click

    return click.unstyle(_LINK.sub("", line))
