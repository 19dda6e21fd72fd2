"""TAP, version 13: a point a file, its findings in a YAML block."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.gitops.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report


def lines(report: Report) -> Iterator[str]:
    yield "TAP version 13"
    yield f"1..{sum(1 for _ in report.by_file())}"
    for number, (file, found) in enumerate(report.by_file(), 1):
        failed = any(f.severity == "error" for f in found)
        # A # would begin a directive.
        name = printable(file).replace("\\", "\\\\").replace("#", "\\#")
        yield f"{'not ok' if failed else 'ok'} {number} - {name}"
        if found:
            yield "  ---"
            yield "  findings:"
            for finding in found:
                yield f"    - {json.dumps(finding.to_json())}"
            yield "  ..."
