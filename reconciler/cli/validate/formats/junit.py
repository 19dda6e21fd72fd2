"""JUnit's XML, as Jenkins, GitLab and Azure read it: a suite a file; a failing case an error, a passing one a sound file.

Warnings and notices stand in a case's ``system-out``: JUnit knows no other word for what does not fail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.validate.report import Report
    from reconciler.gitops.finding import Finding

#: What XML 1.0 cannot hold, even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def lines(report: Report) -> Iterator[str]:
    tests = sum(max(_errors(found), 1) for _, found in report.by_file())
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    failures = report.count("error")
    yield f'<testsuites name="reconciler validate" tests="{tests}" failures="{failures}" errors="0">'
    for file, found in report.by_file():
        yield from _suite(file, found)
    yield "</testsuites>"


def _errors(findings: Sequence[Finding]) -> int:
    return sum(f.severity == "error" for f in findings)


def _suite(file: str, findings: Sequence[Finding]) -> Iterator[str]:
    errors = [f for f in findings if f.severity == "error"]
    counts = f'tests="{max(len(errors), 1)}" failures="{len(errors)}" errors="0" skipped="0"'
    yield f"  <testsuite name={_attribute(file)} {counts}>"
    for found in errors:
        place = f"{found.line}:{found.column}"
        where = f"{found.rule} at {place}"
        if found.object.name:
            where = f"{found.object.kind} {found.object.name}: {where}"
        yield f"    <testcase classname={_attribute(file)} name={_attribute(where)}>"
        said = f"message={_attribute(found.message)} type={_attribute(found.rule)}"
        yield f"      <failure {said}>{_content(_body(found))}</failure>"
        yield "    </testcase>"
    if not errors:
        yield f'    <testcase classname={_attribute(file)} name="valid"/>'
    others = [f.text() for f in findings if f.severity != "error"]
    if others:
        yield f"    <system-out>{_content(chr(10).join(others))}</system-out>"
    yield "  </testsuite>"


def _body(finding: Finding) -> str:
    told = [finding.text()]
    told += [f"expected: {finding.expected}"] if finding.expected else []
    told += [f"got: {finding.got}"] if finding.got else []
    return "\n".join([*told, finding.docs])


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))


def _content(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
