"""Findings are in order and each there once, however many there are and in whatever order they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.validate import findings
from reconciler.cli.validate.findings import SEVERITIES, Findings, ordered
from reconciler.gitops.finding import Finding, ObjectName

_some = st.builds(
    Finding,
    rule=st.sampled_from(["a/b", "c/d"]),
    severity=st.sampled_from(SEVERITIES),
    message=st.sampled_from(["x", "y\ud800"]),
    file=st.sampled_from(["a", "b/c", "d"]),
    line=st.integers(1, 3),
    item=st.none() | st.integers(0, 2),
    object=st.builds(ObjectName, name=st.sampled_from(["p", "q"])),
    hint=st.sampled_from(["", "h"]),
)


@given(st.lists(_some), st.integers(1, 5), st.integers(1, 5))
def test_they_are_what_sorting_all_of_them_in_memory_gives(
    told: list[Finding], at_a_time: int, piece: int
) -> None:
    before = findings._SORTED, findings._PIECE
    findings._SORTED, findings._PIECE = at_a_time, piece
    try:
        found = ordered(iter(told))
    finally:
        findings._SORTED, findings._PIECE = before
    expected = sorted(
        dict.fromkeys(told),
        key=lambda f: (f.file, f.line, f.column, SEVERITIES.index(f.severity), f.rule, f.message),
    )
    assert list(found) == list(found) == expected
    assert len(found) == len(expected)
    assert found == Findings.of_plain(found.to_plain())
    for severity in SEVERITIES:
        assert found.count(severity) == sum(f.severity == severity for f in expected)
    assert found.count(rule="a/b") == sum(f.rule == "a/b" for f in expected)
    assert found.rules == {f.rule for f in expected}
