"""One JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.cli.validate.report import Report


def lines(report: Report) -> Iterator[str]:
    document = {"summary": report.summary, "findings": []}
    yield from streamed(document, "findings", (f.to_json() for f in report.findings))


def streamed(document: Mapping[str, Any], key: str, items: Iterable[Any]) -> Iterator[str]:
    """Yield a document of JSON in pieces: its last list, which is empty and stands at ``key``, holds these items."""
    text = json.dumps(document, indent=2)
    head, mark, tail = text.rpartition(f'"{key}": []')
    margin = " " * (len(head) - len(head.rstrip(" ")))
    written = ""
    for item in items:
        yield f"{written}," if written else f"{head}{mark[:-1]}"
        inside = f"{margin}  "
        written = inside + json.dumps(item, indent=2).replace("\n", f"\n{inside}")
    if not written:
        yield text
        return
    yield written
    yield f"{margin}]{tail}"
