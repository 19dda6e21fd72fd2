"""Field changes as lines."""

from __future__ import annotations

from reconciler.gitops.diff import FieldChange, unified


def shown(before: object, after: object) -> list[str]:
    return [f"{line.mark}{line.text}" for line in unified([FieldChange("f", before, after)])]


def test_a_line_of_a_text_that_looks_like_a_heading_is_not_lost() -> None:
    assert shown("a\n-- b\n", "a\n++ c\n") == ["@f", "@@@ -1,2 +1,2 @@", " a", "--- b", "+++ c"]


def test_what_would_move_the_cursor_is_not_printed() -> None:
    assert shown("\x1b[2Jx\r", None) == ['-f: "\\u001b[2Jx\\r"']
    assert "\x1b" not in "".join(shown("a\n\x1b[2J\n", "a\n"))


def test_a_text_is_told_from_a_number_and_an_object_is_told_by_its_fields() -> None:
    assert shown("1", 1) == ['-f: "1"', "+f: 1"]
    assert shown(None, {"a": {"b": 1}, "c": []}) == ["+f.a.b: 1", "+f.c: []"]


def test_an_endless_value_is_cut() -> None:
    assert len(shown("x" * 5000, None)[0]) == 201
    assert shown("\n" * 1500, "a\n" * 1500)[1:] == ["-(1500 lines)", "+(1500 lines)"]
