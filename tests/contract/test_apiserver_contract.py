"""Verdicts of a real kube-apiserver 1.36 over manifests with one mistake each: ours are the same, and name the same field.

The probes lie beside the checkout (``../shared/peer``); without them the test says so and skips.
"""

from __future__ import annotations

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api.objects import copy
from reconciler.errors import Invalid, ReconcilerError
from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate
from reconciler.registry import admission

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(__file__).parents[3] / "shared"
PROBES = SHARED / "peer/apiserver_rule_probes.json"
VERDICTS = SHARED / "peer/apiserver_verdicts.jsonl.gz"

pytestmark = pytest.mark.skipif(not PROBES.is_file(), reason=f"no probes at {PROBES}")


#: The one manifest that is too long to be written down with the probes.
LARGE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "annotations": {"a": "x" * 262144}},
}


def probes(operation: str) -> list[Any]:
    if not PROBES.is_file():
        return []
    found = [p for p in json.loads(PROBES.read_text()) if p["op"] == operation]
    return [pytest.param(p, id=f"{p['kind']}-{p['rule']}"[:100]) for p in found]


def errors_of(text: str) -> list[str]:
    """Return the fields that ``validate`` calls wrong, as the message or else the path names them."""
    data = text.encode()
    file = File("a.yaml", sha256(data).hexdigest(), data)
    rendered = render(Snapshot(file.digest, {"a.yaml": file}))
    found = [*rendered.findings, *validate(rendered.documents, references=False)]
    return [
        f.message.split(": ")[0] if f.rule.startswith("rule/") else f.path
        for f in found
        if f.severity == "error"
    ]


def parts_of(field: str) -> list[str]:
    """Split ``spec.containers[0].resources.limits[cpu]`` as the server writes it, without upper case."""
    return [p for p in re.split(r"[.\[\]/]+", field.lower()) if p]


def same_field(server: str, ours: str) -> bool:
    """Whether two paths name the same place; one may say more exactly where."""
    wanted, got = parts_of(server), parts_of(ours)
    if not wanted:
        return True
    return wanted == got[: len(wanted)] or got == wanted[: max(len(got), len(wanted) - 2)]


@pytest.mark.parametrize("probe", probes("create"))
def test_what_is_created_gets_the_verdict_of_an_api_server(probe: dict[str, Any]) -> None:
    found = errors_of(json.dumps(probe["manifest"] or LARGE))
    if probe["verdict"] == "accept":
        assert not found, found
        return
    assert found, probe["errors"]
    if probe["verdict"] == "invalid":
        wanted = [e.split(": ")[0] for e in probe["errors"]]
        assert any(same_field(w, f) for w in wanted for f in found), (wanted, found)


def documents() -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield (what the server said, our errors) of every document of the manifests that the server was asked about."""
    verdicts: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    with gzip.open(VERDICTS, "rt") as lines:
        for line in lines:
            one = json.loads(line)
            source, path, document, number = one["id"].split("|")
            verdicts.setdefault(f"{source}/{path}", {})[int(document), int(number)] = one
    for path, wanted in verdicts.items():
        file = SHARED / "manifests" / path
        if not file.is_file():
            continue
        rendered = render(Snapshot("", {path: File(path, path, file.read_bytes())}))
        by_document: dict[int, list[str]] = {}
        found = [*rendered.findings, *validate(rendered.documents, references=False)]
        for f in found:
            if f.severity == "error":
                by_document.setdefault(f.document, []).append(f"{f.path} {f.rule} {f.message}")
        whole = [f.message for f in rendered.findings if f.severity == "error"]
        for (document, _), one in wanted.items():
            yield (
                one,
                by_document.get(document, []) or (whole if not rendered.documents else []),
            )


def refused_update(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    for obj in (before, after):
        admission.default(obj)
    try:
        causes = [*admission.validate_shape(after), *admission.validate_update(before, after)]
    except (Invalid, ReconcilerError) as refused:
        return [str(refused)]
    return [c.field for c in causes]


@pytest.mark.parametrize("probe", probes("update"))
def test_a_change_gets_the_verdict_of_an_api_server(probe: dict[str, Any]) -> None:
    found = refused_update(copy(probe["old"]), copy(probe["new"]))
    if probe["verdict"] == "accept":
        assert not found
    else:
        wanted = [e.split(": ")[0] for e in probe["errors"]]
        assert any(same_field(w, f) for w in wanted for f in found), (wanted, found)


def test_manifests_of_others_get_the_verdict_of_an_api_server() -> None:
    """Every document of ``shared/manifests`` that the server was asked about; aim: not one differs."""
    asked = 0
    differing = []
    for one, errors in documents():
        if one["verdict"] == "out-of-scope":
            continue
        asked += 1
        if (one["verdict"] == "accept") != (not errors):
            differing.append((one["id"], one["verdict"], errors[:3]))
    assert not differing
    assert asked > 1000
