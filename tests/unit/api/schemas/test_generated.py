"""The packaged schemas are those that the generator makes, and our words on fields are in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.api import schemas
from reconciler.api.objects import GroupVersionKind
from schemas.generate import generated, own_words

FACTS = Path(__file__).parents[5] / "shared/facts/schema"
KINDS = sorted(schemas.directory().glob("*-*.json"))


def test_they_are_in_step_with_what_they_are_made_of() -> None:
    source = FACTS / "_definitions.json"
    if not source.is_file():
        pytest.skip("the definitions (../shared/facts/schema) are not here")
    made = generated(json.loads(source.read_text()), own_words())
    held = {p.name: p.read_text() for p in schemas.directory().glob("*.json")}
    assert made.keys() == held.keys()
    different = [name for name, text in made.items() if held[name] != text]
    assert not different, "run: python -m schemas.generate DEFINITIONS.json"


def _described(path: Path) -> dict[str, str]:
    schema: dict[str, Any] = json.loads(path.read_text())
    root = schema["properties"]["kind"]["const"]
    return {
        f"{name}.{field}": prop["description"]
        for name, body in {root: schema, **schema.get("$defs", {})}.items()
        for field, prop in (body.get("properties") or {}).items()
        if "description" in prop
    }


def test_every_word_of_ours_is_at_a_field_and_short() -> None:
    found = {k: v for path in KINDS for k, v in _described(path).items()}
    words = own_words()["descriptions"]
    assert {k: found.get(k) for k in words} == words
    assert len(words) >= 60
    assert not [k for k, text in words.items() if len(text) > 140]


def test_a_schema_says_which_kind_it_is_of() -> None:
    for path in KINDS:
        schema = json.loads(path.read_text())
        assert schema["$id"] == path.name
        (gvk,) = schema["x-kubernetes-group-version-kind"]
        assert gvk["kind"] == schema["properties"]["kind"]["const"]


def test_a_kind_that_the_facts_lack_stays_unknown() -> None:
    for group, version, kind in (
        ("resource.k8s.io", "v1", "ResourceClaim"),
        ("", "v1", "ComponentStatus"),
    ):
        assert schemas.load(GroupVersionKind(group, version, kind)) is None


def test_kinds_that_are_only_stored_are_checked_and_merge_by_their_keys() -> None:
    role = schemas.load(GroupVersionKind("rbac.authorization.k8s.io", "v1", "Role"))
    assert role is not None
    assert role["$defs"]["rbac.v1.PolicyRule"]["required"] == ["verbs"]
    hooks = schemas.load(
        GroupVersionKind("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration")
    )
    assert hooks is not None
    assert hooks["properties"]["webhooks"]["x-kubernetes-list-map-keys"] == ["name"]
