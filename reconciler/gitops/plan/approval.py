"""Approving a plan: a digest of all that it would do, and of what it was made against.

What is digested of an object is what counts of it (no status, nothing of the server's): a Pod that restarts makes no plan
stale, a changed field does. Digests are keyed, so that no value of a Secret can be guessed from one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.gitops.diff import without_noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.gitops.plan.change import Change
    from reconciler.gitops.plan.graph import Plan

_encode = msgspec.json.Encoder(order="deterministic").encode


def approval(plan: Plan, revision: str, key: bytes) -> str:
    """Return the digest of a plan (64 hex digits): equal when the same changes are made to the same objects."""
    rows = sorted(f"{c.action} {c.key} {_digest(c, key)}" for c in _telling(plan))
    return hmac.new(key, _encode([revision, rows]), hashlib.sha256).hexdigest()


def to_json(plan: Plan, application: str, revision: str, key: bytes) -> dict[str, Any]:
    """Return a plan as it is shown and kept for an approval: each change with the digest of its own."""
    digests = {(c.action, c.key): _digest(c, key) for c in _telling(plan)}
    shown = plan.to_json()
    telling = [c for c in plan.changes if c.action != "unchanged"]
    for row, change in zip(shown["changes"], telling, strict=True):
        row["digest"] = digests[change.action, change.key]
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "Plan",
        "application": application,
        "revision": revision,
        "approval": approval(plan, revision, key),
        **shown,
    }


def moved(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is not as it was when a plan was approved, a line each; both as ``to_json`` told them."""
    told = []
    if approved.get("revision") != now.get("revision"):
        told.append(f"the revision was {approved.get('revision')} and is {now.get('revision')}")
    before, after = _rows(approved), _rows(now)
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            told.append(f"{before[name][0]} {name}: no longer to be done")
        elif name not in before:
            told.append(f"{after[name][0]} {name}: was not in the plan")
        elif before[name] != after[name]:
            told.append(f"{after[name][0]} {name}: it, or what is wanted of it, has changed since")
    return told


def _rows(shown: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    rows = {}
    for row in shown.get("changes") or ():
        where = f"{row['namespace']}/" if row["namespace"] else ""
        rows[f"{row['kind']} {where}{row['name']}"] = (row["action"], str(row.get("digest", "")))
    return rows


def _telling(plan: Plan) -> list[Change]:
    return [c for c in (*plan.changes, *plan.on_failure) if c.action != "unchanged"]


def _digest(change: Change, key: bytes) -> str:
    states = [without_noise(change.object), without_noise(change.live)]
    return hmac.new(key, _encode(states), hashlib.sha256).hexdigest()[:16]
