"""Workflow commands of GitHub Actions: each finding becomes an annotation at its line.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report
    from reconciler.gitops.finding import Finding

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield _command(finding)
    yield printable(report.sentence())


def _command(finding: Finding) -> str:
    properties = {"file": finding.file, "line": finding.line, "col": finding.column}
    if finding.end_line == finding.line and finding.end_column > finding.column:
        properties |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    properties["title"] = finding.rule
    told = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    said = finding.message
    if finding.hint and finding.hint not in said:
        said += f"\n{finding.hint}"
    if finding.rendered_line:
        said += f"\nline {finding.rendered_line} of what the template renders to"
    return f"::{_COMMANDS[finding.severity]} {told}::{_data(said)}"


def _data(text: str) -> str:
    kept = "\n".join(printable(line) for line in text.split("\n"))
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
