"""One line a finding, as compilers write it: what is searched, cut and piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report


def lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield finding.text()
    yield report.sentence()
