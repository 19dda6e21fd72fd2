"""${VAR} as Flux's postBuild reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gitops.render.expression import LONGEST, Malformed, substituted

VARIABLES = {"A": "1", "EMPTY": "", "TEXT": "${A} $${A} }"}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a ${A} b${A}", "a 1 b1"),
        ("$A $ {A} $$ $(A)", "$A $ {A} $$ $(A)"),
        ("$${A} and $${B:-x}", "${A} and ${B:-x}"),
        ("${B:-x y}", "x y"),
        ("${B:=x}", "x"),
        ("${EMPTY:-x}|${EMPTY-x}|${EMPTY:=x}|${EMPTY=x}", "x||x|"),
        ("${B:-${A}}", "1"),
        ("${B:-${C:-deep}}", "deep"),
        ("${B:-}", ""),
        ("${A:-${MISSING}}", "1"),
        ("${TEXT}", "${A} $${A} }"),
        ("{}}", "{}}"),
    ],
)
def test_what_is_written(text: str, written: str) -> None:
    assert substituted(text, VARIABLES) == (written, [])


def test_undefined_names_are_told_with_their_place_and_become_empty() -> None:
    written, undefined = substituted("ab${B}${A}${B:-${C}}", VARIABLES)
    assert written == "ab1"
    assert [(u.name, u.offset) for u in undefined] == [("B", 2), ("C", 15)]


@pytest.mark.parametrize(
    ("text", "offset"),
    [("a${", 1), ("${1A}", 0), ("xx${A", 2), ("${A%%x}", 0), ("${A:-x", 0), ("${A:0:3}", 0), ("${B:-${}}", 0)],
)  # fmt: skip
def test_what_is_no_expression_is_refused_where_it_begins(text: str, offset: int) -> None:
    with pytest.raises(Malformed) as caught:
        substituted(text, VARIABLES)
    assert caught.value.offset == offset


def test_growth_and_depth_are_bounded() -> None:
    with pytest.raises(Malformed, match="grows beyond"):
        substituted("${BIG}" * 20, {"BIG": "x" * (LONGEST // 10)})
    with pytest.raises(Malformed, match="deep"):
        substituted("${A:-" * 50 + "}" * 50, {})


@given(st.text(alphabet="a${}:-=AB ", max_size=40), st.dictionaries(st.sampled_from("AB"), st.text(max_size=5)))  # fmt: skip
def test_any_text_is_written_or_refused(text: str, variables: dict[str, str]) -> None:
    try:
        written, _ = substituted(text, variables)
    except Malformed as error:
        offset = error.offset
    else:
        offset = 0
        assert "${" in text or written == text
    assert 0 <= offset <= len(text)


@given(st.text(max_size=30))
def test_an_escaped_expression_is_the_text_itself(tail: str) -> None:
    plain = tail.replace("${", "").replace("$", "")
    assert substituted("$${A}" + plain, VARIABLES) == ("${A}" + plain, [])
