"""One JSON document a line: each finding, then ``{"summary": …}``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report


def lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield json.dumps(finding.to_json())
    yield json.dumps({"summary": report.summary})
