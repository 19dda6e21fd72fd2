"""Markdown, for the summary of a workflow's step: a table of findings, no longer than GitHub takes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from reconciler.gitops.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report
    from reconciler.gitops.finding import Finding

#: GitHub takes 1 MiB a step; a table that long is read by nobody.
MOST_ROWS = 500

_SIGNS = {"error": "❌", "warning": "⚠️", "info": "\u2139\ufe0f"}


def lines(report: Report) -> Iterator[str]:
    sign = "❌" if report.count("error") else "⚠️" if report.count("warning") else "✅"
    yield f"### {sign} reconciler validate"
    yield ""
    yield report.sentence()
    if not report.findings:
        return
    yield ""
    yield "| | place | finding | rule |"
    yield "|---|---|---|---|"
    for finding in itertools.islice(report.findings, MOST_ROWS):
        yield _row(finding)
    if len(report.findings) > MOST_ROWS:
        yield ""
        yield f"… and {len(report.findings) - MOST_ROWS} more."


def _row(finding: Finding) -> str:
    place = _code(f"{finding.file}:{finding.line}:{finding.column}")
    said = _text(finding.message)
    if finding.hint and finding.hint not in finding.message:
        said += f"<br>{_text(finding.hint)}"
    rule = f"[{_text(finding.rule)}]({finding.docs})"
    return f"| {_SIGNS[finding.severity]} | {place} | {said} | {rule} |"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Return a stranger's words so that they are words and nothing else."""
    return printable(text).translate(_ESCAPED)


#: What means something in Markdown or HTML; ``#`` and ``@`` would become links to issues and people.
_ESCAPED = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\\`*_[]|#~@"}
