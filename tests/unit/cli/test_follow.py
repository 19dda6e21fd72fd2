"""What is told while an Application is waited for."""

from __future__ import annotations

from typing import Any

from reconciler.cli.follow import troubles


def condition(kind: str, message: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "message": message, "status": status}


def test_what_holds_it_up_is_told_when_it_comes_and_once() -> None:
    told: set[str] = set()
    shared = condition("SharedResource", "it belongs to another")
    synced = condition("Synced", "all applied")
    assert troubles({"conditions": [synced]}, told) == []
    assert troubles({"conditions": [synced, shared]}, told) == [
        "SharedResource: it belongs to another"
    ]
    assert troubles({"conditions": [shared]}, told) == []
    failed = condition("SyncFailed", "no", "False")
    assert troubles({"conditions": [shared, failed]}, told) == []
    assert troubles({}, told) == []
