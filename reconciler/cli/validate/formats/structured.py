"""One JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report


def lines(report: Report) -> Iterator[str]:
    yield json.dumps(report.to_json(), indent=2)
