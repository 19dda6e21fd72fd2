"""Mistakes of large objects are found piece by piece: each where it is, and none that is not there."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.schemas.pieces import LARGEST, pieces
from reconciler.api.schemas.validator import MOST_ERRORS, Validator

SCHEMA = {
    "type": "object",
    "required": ["kind", "spec"],
    "properties": {
        "kind": {"type": "string"},
        "spec": {
            "type": "object",
            "required": ["rows"],
            "properties": {
                "rows": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {"name": {"type": "string"}},
                    },
                },
                "words": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}

json = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


def rows(many: int, **wrong: Any) -> dict[str, Any]:
    return {"kind": "A", "spec": {"rows": [{"name": "a"}] * many, **wrong}}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict) and value:
        return [x for k, v in value.items() for x in leaves(v, (*path, k))]
    if isinstance(value, list) and value:
        return [x for k, v in enumerate(value) for x in leaves(v, (*path, k))]
    return [(path, value)]


@given(st.lists(json, min_size=1, max_size=4), st.integers(300, 800))
def test_every_value_lies_in_one_piece_at_its_place(parts: list[Any], times: int) -> None:
    whole = {"a": {"b": [parts * times, {str(n): part for n, part in enumerate(parts * times)}]}}
    found = []
    for piece in pieces(whole):
        for inside, value in leaves(piece.object):
            path = piece.path(inside)
            if path is not None:
                found.append((path, value))
    if found:  # smaller ones are not cut
        assert found == leaves(whole)


def test_of_very_many_mistakes_the_first_are_told_where_they_are() -> None:
    obj = rows(20_000)
    obj["spec"]["rows"] = [{"name": "a"}] * 10_000 + [{"name": 1}, {}] * 10_000
    errors = Validator(SCHEMA).errors(obj)
    assert len(errors) == MOST_ERRORS
    assert {e.path[:2] for e in errors} == {("spec", "rows")}
    assert min(int(e.path[2]) for e in errors) == 10_000
    assert {e.keyword for e in errors} == {"type", "required"}


def test_a_mistake_in_no_piece_is_told() -> None:
    obj = rows(LARGEST * 2)
    del obj["kind"]
    assert [(e.keyword, e.path) for e in Validator(SCHEMA).errors(obj)] == [("required", ())]


def test_few_mistakes_of_a_large_object_are_all_told() -> None:
    obj = rows(LARGEST * 2, words={**{str(n): "a" for n in range(LARGEST * 2)}, "b": 1})
    obj["spec"]["rows"][-1] = {"nam": "a"}
    errors = Validator(SCHEMA).errors(obj)
    assert {(e.keyword, e.path[:3]) for e in errors} == {
        ("required", ("spec", "rows", LARGEST * 2 - 1)),
        ("additionalProperties", ("spec", "rows", LARGEST * 2 - 1)),
        ("type", ("spec", "words", "b")),
    }
