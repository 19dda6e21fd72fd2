"""YAML is read as Kubernetes reads it, and every mistake has its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.gitops.render import reader

_TABLE = Path(__file__).parents[5] / "shared/facts/yaml_dialect_table.md"


def value(text: str) -> object:
    documents, findings = reader.read(text, "f")
    assert not findings, findings
    return documents[0].value


def mistakes(text: str) -> list[tuple[str, int, int]]:
    return [(f.rule, f.line, f.column) for f in reader.read(text, "f")[1]]


def test_plain_scalars_are_what_go_makes_of_them() -> None:
    """Every row measured from sigs.k8s.io/yaml."""
    if not _TABLE.exists():
        pytest.skip("the table of measured scalars is not here")
    wrong = []
    for line in _TABLE.read_text().splitlines():
        row = re.match(r"\| (plain|key) (.+?) \| (.+?) \|", line)
        if row is None:
            continue
        what, text, go = row.groups()
        manifest = f"v: {text}\n" if what == "plain" else f"{text}: v\n"
        documents, findings = reader.read(manifest, "f")
        if go.startswith("ERR"):
            wrong += [text] if not findings else []
        elif text != "!":
            got = json.dumps(documents[0].value)
            # JSON's numbers are doubles: 18446744073709552000 is how Go writes 2^64.
            if findings or json.loads(got, parse_int=float) != json.loads(go, parse_int=float):
                wrong.append(text)
    assert wrong == []


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
    documents, findings = reader.read("a: *x\n---\nb: 1\n---\nc: 1\nc: 2\n", "f")
    assert [(d.value, d.readable) for d in documents] == [
        (None, False), ({"b": 1}, True), ({"c": 2}, True),
    ]  # fmt: skip
    assert [(f.rule, f.document) for f in findings] == [
        ("syntax/alias", 0), ("syntax/duplicate-key", 2),
    ]  # fmt: skip


def test_every_part_has_a_place() -> None:
    (marks,) = reader.marks("a:\n  - b: 1\n    c: {d: 2}\n")
    assert marks[("a",)] == (1, 1)
    assert marks[("a", 0)] == (2, 5)
    assert marks[("a", 0, "b")] == (2, 5)
    assert marks[("a", 0, "c", "d")] == (3, 9)
