"""Health and kstatus over the cases of the projects that the rules are from.

The cases lie beside the checkout (``../shared/peer``); without them the test says so and skips. Where we differ, the table
says why; a difference that is none any more fails, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.api import kinds
from reconciler.gitops.health import health, reconciled

PEER = Path(__file__).parents[3] / "shared" / "peer"
NOW = 1_795_000_000.0
NOW_TEXT = "2026-11-18T11:06:40Z"

pytestmark = pytest.mark.skipif(
    not PEER.is_dir(), reason="the cases of other projects are not here"
)


def cases(name: str) -> list[dict[str, Any]]:
    file = PEER / f"{name}.json"
    if not file.exists():
        return []
    found = json.loads(file.read_text().replace("NOW_RFC3339", NOW_TEXT))
    return list(found["cases"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("case", cases("kstatus"), ids=lambda c: c["name"])
def test_kstatus(case: dict[str, Any]) -> None:
    """All 58 cases, with the condition that kstatus would set: Reconciling while in progress, Stalled when failed."""
    found = reconciled(case["object"], NOW)
    assert found.status == case["expected_status"]
    if case["expected_conditions_reason"]:
        assert found.reason == case["expected_conditions_reason"]


@pytest.mark.parametrize("case", cases("kstatus_augment"), ids=lambda c: c["name"])
def test_kstatus_conditions(case: dict[str, Any]) -> None:
    """We write no conditions into objects of others; what kstatus would write is what we say."""
    found = reconciled(case["object"], NOW)
    kind = {"InProgress": "Reconciling", "Failed": "Stalled"}.get(found.status)
    expected = [
        c for c in case["expected_conditions_after"] if c["type"] in ("Reconciling", "Stalled")
    ]
    assert [(c["type"], c["reason"]) for c in expected] == ([(kind, found.reason)] if kind else [])


#: Argo CD's cases that we judge otherwise: (test, file) → what we say, why.
ARGO = {
    ("TestCRD", "knative-service.yaml"): (
        "Healthy", "where Argo CD has no check of its own we judge by the conditions that types agree on: Ready is True"),
    ("TestGetArgoWorkflowHealth", "health_test.go (inline)"): (
        None, "a Workflow's phase is Argo's own: without conditions of the common kind we have nothing to judge by"),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", cases("argo_health"), ids=lambda c: f"{c['test']}-{Path(c['file']).name}"
)
def test_argo_health(case: dict[str, Any]) -> None:
    """51 of 53 cases."""
    found = health(case["object"]).status
    name = (case["test"], Path(case["file"]).name)
    if name in ARGO:
        ours, why = ARGO[name]
        assert ours in (None, found), why
        return
    # null: Argo CD has no check for the kind, so that it does not count; here it counts as well.
    assert found == (case["expected_health"] or "Healthy")


#: The kinds that we have of Argo CD's checks in Lua.
_LUA_KINDS = ("CustomResourceDefinition", "CronJob", "PodDisruptionBudget")


@pytest.mark.parametrize(
    "case", [c for c in cases("argo_lua_health") if c["object"]["kind"] in _LUA_KINDS and "/" in c["file"]
             and c["group"] in ("apiextensions.k8s.io", "batch", "policy")],
    ids=lambda c: c["file"],
)  # fmt: skip
def test_argo_health_in_lua(case: dict[str, Any]) -> None:
    obj = case["object"]
    kind = kinds.lookup(case["group"], obj["kind"])
    assert kind is not None
    found = health(obj)
    if not obj.get("status") and not kind.run:
        # Nothing here runs the kind: it would be Progressing for ever.
        assert found.status == "Healthy"
        assert "nothing here runs" in found.message
    else:
        assert found.status == case["expected_health"]


#: kapp's cases that kstatus, which we follow, judges otherwise.
KAPP = {
    "TestAppsV1StatefulSetUpdate/5": ("InProgress", "kstatus wants currentReplicas at the full number, kapp does not look"),
    "TestAppsV1DaemonSetCreation/4": ("InProgress", "kstatus wants available Pods, kapp counts the unavailable ones only"),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [c for c in cases("kapp") if c["type"] == "wait_state"], ids=lambda c: c["name"]
)
def test_kapp_waits(case: dict[str, Any]) -> None:
    """29 of 31 cases: done is Current, given up is Failed."""
    expected = case["expected"]
    done = "Current" if expected["successful"] else "Failed"
    found = reconciled(case["object"], NOW).status
    if case["name"] in KAPP:
        ours, why = KAPP[case["name"]]
        assert found == ours, why
    else:
        assert found == (done if expected["done"] else "InProgress")
