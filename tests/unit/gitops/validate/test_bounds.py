"""Of a document with very many mistakes a few are told, and that there are more."""

from __future__ import annotations

import pytest

from reconciler.gitops.finding import MOST_FINDINGS, Finding
from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate

MANY = 5000


def check(text: str) -> list[Finding]:
    rendered = render(Snapshot("r", {"a.yaml": File("a.yaml", "d", text.encode())}))
    return [*rendered.findings, *validate(rendered.documents, honoured=None)]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
        + "".join(f"x{n}: 1\n" for n in range(MANY)),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        + "".join(f"  - {{name: {n}}}\n" for n in range(MANY)),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: a\n    env:\n"
        + "".join(f"    - {{name: 'A{n}=', value: a}}\n" for n in range(MANY)),
    ],
    ids=["unknown fields", "wrong types", "broken rules"],
)
def test_what_is_told_of_one_document_is_bounded(text: str) -> None:
    found = check(text)
    assert len(found) == MOST_FINDINGS + 1
    assert [f.rule for f in found if f.severity == "info"] == ["schema/more"]


def test_keys_that_stand_twice_are_bounded_too() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n" + "  a: b\n" * MANY
    found = check(text)
    assert {f.rule for f in found} == {"syntax/duplicate-key"}
    assert len(found) == MOST_FINDINGS
