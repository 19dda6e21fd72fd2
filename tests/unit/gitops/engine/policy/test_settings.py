"""Reading a policy out of an Application."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.gitops.engine.policy import PolicyError, SelfHeal, policy_of
from reconciler.gitops.engine.policy.pruning import PruneLimit
from reconciler.gitops.engine.policy.retrying import Retry


def test_defaults_and_what_is_given() -> None:
    bare = policy_of({"spec": {}})
    assert (bare.automated, bare.timeout, bare.retry) == (False, 300.0, Retry())
    sync: dict[str, Any] = {
        "automated": {"selfHeal": "warn"}, "timeout": "90s", "pruneLimit": {"count": 0},
        "retry": {"limit": 2, "backoff": {"duration": "1s", "factor": 3, "maxDuration": "1m"}},
    }  # fmt: skip
    found = policy_of({"spec": {"syncPolicy": sync, "suspend": True, "suspendUntil": "2026-01-01T00:00:00Z"}})  # fmt: skip
    assert found.self_heal is SelfHeal.WARN
    assert found.timeout == 90.0
    assert found.prune_limit == PruneLimit(0, None, 0)
    assert found.retry == Retry(2, 1.0, 3.0, 60.0)
    assert found.suspended(0.0)
    assert not found.suspended(2e9)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"syncPolicy": {"timeout": "soon"}}, "spec.syncPolicy.timeout"),
        ({"suspendUntil": "tomorrow"}, "spec.suspendUntil"),
        (
            {"syncPolicy": {"windows": [{"kind": "deny", "schedule": "x", "duration": "1h"}]}},
            "spec.syncPolicy.windows[0].schedule",
        ),
    ],
)
def test_a_field_that_cannot_be_used_is_named(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError, match=field.replace("[", r"\[")):
        policy_of({"spec": spec})
