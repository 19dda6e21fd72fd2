"""YAML is read as Kubernetes reads it, and every mistake has its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.gitops.render import reader

if TYPE_CHECKING:
    from reconciler.gitops.render.place import Place


def value(text: str) -> object:
    documents, findings = reader.read(text, "f")
    assert not findings, findings
    return documents[0].value


def mistakes(text: str) -> list[tuple[str, int, int]]:
    return [(f.rule, f.line, f.column) for f in reader.read(text, "f")[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a: "y"', {"a": "y"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: !!int '5'", {"a": 5}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("a: !custom 5", {"a": "5"}),
        ("x: &x {a: 1, b: 2}\nz:\n  <<: *x\n  b: 3", {"x": {"a": 1, "b": 2}, "z": {"a": 1, "b": 3}}),
        ("z: {<<: [{a: 1}, {a: 2, c: 3}]}", {"z": {"a": 1, "c": 3}}),
        ('"<<": 1', {"<<": 1}),
        ("x: &x [1]\nz: *x", {"x": [1], "z": [1]}),
        ("\ufeffa: 1"[1:], {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ],
)  # fmt: skip
def test_documents(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", [("syntax/duplicate-key", 3, 1)]),
        ("a: {b: 1, b: 2}\nc: {d: 1, d: 2}", [
            ("syntax/duplicate-key", 1, 11), ("syntax/duplicate-key", 2, 11)]),
        ("a: b: c", [("syntax/yaml", 1, 5)]),
        ("a:\n\tb: 1", [("syntax/yaml", 2, 1)]),
        ("a: .inf", [("syntax/number", 1, 4)]),
        ("a: *b", [("syntax/alias", 1, 4)]),
        ("a: &a [*a]", [("syntax/alias", 1, 8)]),
        ("~: 1", [("syntax/key", 1, 1)]),
        ("[a]: 1", [("syntax/key", 1, 1)]),
        ("a: 1\nb: \x01", [("syntax/yaml", 2, 4)]),
        ("[" * 100_000, [("syntax/depth", 1, 102)]),
    ],
)  # fmt: skip
def test_mistakes_have_a_line_and_a_column(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert mistakes(text) == expected


def test_a_mistake_in_one_document_hides_no_other() -> None:
    text = "a: *x\n---\nb: 1\n---\nc: [\n---\nd: 1\nd: 2\n---\ne: 'x\n---\nf: 1\n"
    documents, findings = reader.read(text, "f")
    assert [(d.value, d.readable) for d in documents] == [
        (None, False), ({"b": 1}, True), (None, False), ({"d": 2}, True), (None, False), ({"f": 1}, True),
    ]  # fmt: skip
    assert [(f.rule, f.document, f.line) for f in findings] == [
        ("syntax/alias", 0, 1), ("syntax/yaml", 2, 6), ("syntax/duplicate-key", 3, 8),
        ("syntax/yaml", 4, 11),
    ]  # fmt: skip
    for document in documents:
        if document.readable:
            assert text[document.start : document.stop].strip("-\n")[0] in "bdf"


def test_what_is_not_yaml_at_all_is_looked_at_only_so_often() -> None:
    _, findings = reader.read("---\n[\n" * 50_000, "f")
    assert len(findings) == reader.MOST_BROKEN


def test_every_part_has_a_place() -> None:
    places = reader.places("a:\n  - b: one\n    c: {d: 'two'}\n  - &x |\n    text\n")

    def at(path: tuple[str | int, ...]) -> Place:
        found = places.get(path)
        assert found is not None
        return found

    assert at(("a",)).key == (1, 1, 1, 2)
    assert not at(("a",)).whole
    assert at(("a", 0, "b")) == ((2, 5, 2, 6), (2, 8, 2, 11), True)
    assert at(("a", 0, "c", "d")) == ((3, 9, 3, 10), (3, 12, 3, 17), True)
    assert at(("a", 1)).culprit(key=False) == (4, 5, 6, 1)


def test_places_are_those_of_the_file() -> None:
    text = "x: 1\n---\n  y: 2\n  z: 3\n"
    second = reader.read(text, "f")[0][1]
    places = reader.places(text[second.start : second.stop], second.first_line)
    z = places.get(("z",))
    assert z is not None
    assert z.key == (4, 3, 4, 4)
