"""YAML is read as sigs.k8s.io/yaml reads it: what kubectl, Flux and Argo CD make of 196 texts, measured from Go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.gitops.render import reader

_CASES = Path(__file__).parents[3] / "shared/peer/yaml_dialect_cases.json"

#: Where we differ, and why.
EXPLAINED = {
    # Go's strict mode counts a key that a merge brings in as set, so that nothing could ever be overridden. kubectl,
    # Flux and Argo CD read without it, and overriding is what merge keys are for.
    "struct merge": "overriding a merged key is not a duplicate",
    "struct mergelist": "the first of several merged mappings wins, as YAML's merge type says",
    # A list is no manifest; no object lies this deep. The limit bounds recursion.
    "struct deep": "values deeper than 100 levels are refused",
}


def _cases() -> list[dict[str, Any]]:
    if not _CASES.exists():
        return []
    found: list[dict[str, Any]] = json.loads(_CASES.read_text())["cases"]
    return found


def _agrees(case: dict[str, Any]) -> bool:
    documents, findings = reader.read(case["yaml"].removeprefix("\ufeff"), "f")
    if case["go_error"] or case["strict_error"]:
        return bool(findings)
    if findings:
        return False
    # JSON's numbers are doubles: 18446744073709552000 is how Go writes 2^64.
    got = json.loads(json.dumps(documents[0].value), parse_int=float)
    return bool(got == json.loads(json.dumps(case["go_json"]), parse_int=float))


@pytest.mark.skipif(not _CASES.exists(), reason="the measured cases are not here")
def test_every_difference_is_explained() -> None:
    differ = {case["name"] for case in _cases() if not _agrees(case)}
    assert differ == set(EXPLAINED)
