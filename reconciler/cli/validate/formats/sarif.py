"""SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.cli.validate.formats.structured import streamed
from reconciler.gitops.finding import DOCS, docs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.cli.validate.report import Report
    from reconciler.gitops.finding import Finding

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def lines(report: Report) -> Iterator[str]:
    told = report.findings.rules.union(one.finding.rule for one in report.ignored)
    rules = {rule: number for number, rule in enumerate(sorted(told))}
    silenced = (_result(one.finding, one.reason, rules) for one in report.ignored)
    results = (_result(finding, None, rules) for finding in report.findings)
    yield from streamed(_log(rules), "results", itertools.chain(results, silenced))


def _log(rules: Iterable[str]) -> dict[str, Any]:
    driver = {
        "name": "reconciler",
        "semanticVersion": __version__,
        "informationUri": DOCS.partition("/blob/")[0],
        "rules": [
            {"id": rule, "shortDescription": {"text": rule}, "helpUri": docs_of(rule)}
            for rule in rules
        ],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": []}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, reason: str | None, rules: Mapping[str, int]) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    if finding.end_line:
        region |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    said = finding.message
    if finding.hint and finding.hint not in said:
        said = f"{said} ({finding.hint})"
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.file)},
            "region": region,
        }
    }
    if finding.object.kind:
        name = f"{finding.object.kind}/{finding.object.namespace}/{finding.object.name}"
        location["logicalLocations"] = [
            {"name": finding.object.name, "fullyQualifiedName": f"{name}{finding.path}"}
        ]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": said},
        "locations": [location],
        "partialFingerprints": {"reconciler/v1": _fingerprint(finding)},
    }
    properties = {k: v for k in ("expected", "got", "path") if (v := getattr(finding, k))}
    if properties:
        result["properties"] = properties
    if reason is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": reason}]
    return result


def _uri(file: str) -> str:
    """Return a file as a reference below the repository's root, or as an absolute URI where its path is absolute (3.4.3)."""
    return f"file://{quote(file)}" if file.startswith("/") else quote(file)


def _fingerprint(finding: Finding) -> str:
    """Return what stays the same while lines above are added or removed."""
    parts = (finding.rule, finding.file, *finding.object, finding.path, finding.message)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
