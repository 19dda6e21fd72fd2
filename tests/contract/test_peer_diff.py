"""Diffs over the cases of Argo CD, Flux and kluctl.

Our diff is live against a dry-run of server-side apply, which is what the test does. The cases lie beside the checkout
(``../shared/peer``); without them the test says so and skips. Where we differ, the table says why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.api import managed_fields
from reconciler.api.objects import GroupVersionKind, Object, copy
from reconciler.gitops.diff import FieldChange, diff
from reconciler.registry.admission.defaulting import default

PEER = Path(__file__).parents[3] / "shared" / "peer"
MASK = b"a key"

pytestmark = pytest.mark.skipif(
    not PEER.is_dir(), reason="the cases of other projects are not here"
)


def cases(name: str, part: str = "cases") -> list[dict[str, Any]]:
    file = PEER / f"{name}.json"
    return list(json.loads(file.read_text())[part]) if file.exists() else []


def dry_run(live: Object, wanted: Object) -> Object:
    """Return what the API server would make of an apply."""
    merged = managed_fields.apply(
        copy(live), copy(wanted), manager="argocd-controller", gvk=GroupVersionKind.of(wanted),
        time="2026-01-01T00:00:00Z", force=True,
    )  # fmt: skip
    return default(merged)


#: Argo CD's cases in which we see a difference where it sees none, or the other way round.
ARGO = {
    "TestDiffOptionIgnoreAggregateRoles/not ignored": (
        False, "rules that nobody here set are somebody else's (the aggregation's): they never show"),
    "TestThreeWayDiffExample2 (elasticsearch StatefulSet)": (
        True, "of an apiVersion that Kubernetes removed in 1.16 we know no list keys and no defaults"),
    "TestThreeWayDiffExample4 (MutatingWebhookConfiguration)": (
        True, "of a kind without a schema here we know no list keys: its lists are atomic"),
    "TestIgnoreNamespaceForClusterScopedResources": (
        True, "the engine takes the namespace of a cluster-scoped kind away before it compares; Foo is no kind it knows"),
    "TestUnsortedEndpoints": (
        True, "Endpoints' lists are atomic in server-side apply: another order is another value"),
}  # fmt: skip


@pytest.mark.parametrize("case", cases("argo_diff", "diff"), ids=lambda c: c["name"])
def test_argo_diff(case: dict[str, Any]) -> None:
    """20 of 25."""
    live = case["live"]
    if case["mode"].startswith("server"):
        merged = case["predicted_live"]
    else:
        # What an API server holds has its defaults (but for a null, which it would never hold).
        live = live if case["name"] == "TestDiffNilFieldInLive" else default(copy(live))
        merged = dry_run(live, case["config"])
    found = bool(diff(live, merged, mask=MASK))
    ours, why = ARGO.get(case["name"], (case["expected_modified"], ""))
    assert found == ours, why


def secret(data: dict[str, str], **more: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data, **more}


def shown(fields: tuple[FieldChange, ...]) -> dict[str, tuple[Any, Any]]:
    return {f.path.removeprefix("data."): (f.before, f.after) for f in fields}


@pytest.mark.parametrize("case", cases("argo_diff", "secret_masking"), ids=lambda c: c["name"])
def test_argo_masks_equal_values_equally(case: dict[str, Any]) -> None:
    """Argo CD numbers the values by the length of a run of +; a digest says the same and no more: equal or not."""
    live, target = case["live_data"], case["target_data"]
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
            case.get("live_last_applied_data")
        )
    }
    told = diff(
        secret(live, metadata={"name": "s", "annotations": annotations}), secret(target), mask=MASK
    )
    assert set(shown(told)) == {
        k for k in live.keys() | target.keys() if live.get(k) != target.get(k)
    }
    text = repr(told)
    assert not any(value in text for value in (*live.values(), *target.values()))
    assert "last-applied" not in text


@pytest.mark.parametrize(
    "case", [c for c in cases("flux_ssa") if c["type"] == "mask_secret"], ids=lambda c: c["name"]
)
def test_flux_masks(case: dict[str, Any]) -> None:
    """Flux tells before from after; here a value that is the same looks the same as well."""
    old, new = (dict((case[side] or {}).get("data") or {}) for side in ("old", "new"))
    told = diff(secret(old), secret(new), mask=MASK)
    assert set(shown(told)) == {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
    assert not any(str(v) in repr(told) for v in (*old.values(), *new.values()))


#: Flux's cases of a plain comparison that we judge otherwise.
FLUX = {
    "Test_diffUnstructuredMetadata/label removed": "a dry-run lacks a label only where we owned it: that is a change",
    "Test_diffUnstructuredMetadata/annotation removed": "a dry-run lacks an annotation only where we owned it: a change",
    "Test_diffUnstructuredMetadata/label and annotation changed with ignore path": "there is no list of ignored paths: "
    "leave the field out of the manifest, and it is not yours",
}


@pytest.mark.parametrize(
    "case", [c for c in cases("flux_ssa") if c["type"].startswith("diff_")], ids=lambda c: c["name"]
)
def test_flux_diff(case: dict[str, Any]) -> None:
    found = sorted("/" + f.path.replace(".", "/") for f in diff(case["existing"], case["dry_run"]))
    expected = sorted(p["path"] for p in case["expected_patch"])
    if case["name"] in FLUX or case["options"]:
        assert set(expected) <= set(found), FLUX.get(
            case["name"], "there is no list of ignored paths"
        )
    else:
        assert found == expected


@pytest.mark.parametrize("case", cases("kluctl_normalize"), ids=lambda c: c["name"])
def test_kluctl_has_to_normalise_away_what_here_never_differs(case: dict[str, Any]) -> None:
    """kluctl takes out of both sides what must not show (26 cases). Of all that, an apply of the local object changes nothing."""
    remote, local = case["remote"], case["local"]
    if GroupVersionKind.of(remote) != GroupVersionKind.of(local):
        local = {**local, "apiVersion": remote["apiVersion"], "kind": remote["kind"]}
    local = {
        **local,
        "metadata": {k: v for k, v in local["metadata"].items() if k != "annotations"},
    }
    noisy = copy(remote)
    noisy["metadata"].pop("managedFields", None)
    merged = managed_fields.apply(
        copy(noisy),
        local,
        manager="test",
        gvk=GroupVersionKind.of(local),
        time="2026-01-01T00:00:00Z",
        force=True,
    )
    assert diff(noisy, merged, mask=MASK) == ()
