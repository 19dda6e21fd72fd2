"""Comments that silence findings, and what is said of those that do not."""

from __future__ import annotations

import pytest

from reconciler.gitops import ignores
from reconciler.gitops.finding import Finding

TEXT = """\
apiVersion: v1
kind: Pod
spec:
  replica: 1  # reconciler: ignore=schema/unknown-field the old name stays until May
  # reconciler: ignore=schema/type,runtime/* measured
  # another comment

  count: "1"
  other: 2
"""


def finding(rule: str, line: int, file: str = "f") -> Finding:
    return Finding(rule, "error", "m", file, line)


def remaining(*findings: Finding, text: str = TEXT, **options: object) -> list[tuple[str, int]]:
    kept, _ = ignores.apply(findings, [("f", text)], **options)  # type: ignore[arg-type]
    return [(f.rule, f.line) for f in kept]


def test_a_comment_is_about_its_line_or_the_next() -> None:
    found = [
        finding("schema/unknown-field", 4), finding("schema/type", 8),
        finding("runtime/not-honoured", 8), finding("schema/type", 9), finding("schema/type", 4),
    ]  # fmt: skip
    kept, silenced = ignores.apply(found, [("f", TEXT)])
    assert kept == [finding("schema/type", 9), finding("schema/type", 4)]
    assert [one.reason for one in silenced] == [
        "the old name stays until May", "measured", "measured",
    ]  # fmt: skip


def test_other_files_are_not_touched() -> None:
    kept, _ = ignores.apply([finding("schema/type", 8, "g")], [("f", TEXT)])
    assert finding("schema/type", 8, "g") in kept


def test_in_the_head_of_a_file_a_comment_is_about_all_of_it() -> None:
    text = "# A licence\n\n# reconciler: ignore=schema/type generated\napiVersion: v1\n"
    assert remaining(finding("schema/type", 40), text=text) == []


def test_an_ignore_without_a_reason_or_a_finding_is_a_finding() -> None:
    text = "a: 1 # reconciler: ignore=schema/type\nb: 1 # reconciler: ignore=schema/enum because\n"
    assert remaining(finding("schema/type", 1), text=text) == [
        ("ignore/no-reason", 1), ("ignore/unused", 2),
    ]  # fmt: skip


def test_an_ignore_of_a_rule_that_was_not_asked_is_not_unused() -> None:
    text = "a: 1 # reconciler: ignore=reference/secret made by the installer\n"
    asked = lambda rule: not rule.startswith("reference/")  # noqa: E731
    assert remaining(text=text, asked=asked) == []


@pytest.mark.parametrize("text", ["a: '# reconciler ignore=x'", "a: x#reconciler: ignore=y z", ""])
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert ignores.find(text) == []


def test_an_ignore_cannot_silence_what_is_said_of_ignores() -> None:
    text = "# reconciler: ignore=ignore/* quiet\na: 1 # reconciler: ignore=schema/type\n"
    rules = [rule for rule, _ in remaining(text=text)]
    assert "ignore/no-reason" in rules
    assert rules.count("ignore/unused") == 2
