"""Conditions of a status: a list with one entry a type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

Condition = dict[str, Any]


def find(conditions: Iterable[Condition] | None, kind: str) -> Condition | None:
    """Return the condition of a type."""
    return next((c for c in conditions or () if c.get("type") == kind), None)


def is_true(obj: Object, kind: str) -> bool:
    """Whether an object's status has that condition with status True."""
    found = find((obj.get("status") or {}).get("conditions"), kind)
    return found is not None and found.get("status") == "True"


def updated(
    conditions: Iterable[Condition] | None,
    kind: str,
    *,
    true: bool,
    reason: str,
    message: str,
    now: float,
    update_time: bool = False,
) -> list[Condition]:
    """Return the conditions with one set; ``lastTransitionTime`` moves only when its status does.

    ``update_time`` adds ``lastUpdateTime``, which moves when anything of it changes (Deployments have it).
    """
    old = list(conditions or ())
    # The clock brings asyncio, which who only reads conditions has no need of.
    from reconciler.clock import rfc3339

    before = find(old, kind)
    status = "True" if true else "False"
    new: Condition = {"type": kind, "status": status, "reason": reason, "message": message}
    same_status = before is not None and before.get("status") == status
    if update_time:
        same = before is not None and all(before.get(k) == new[k] for k in new)
        new["lastUpdateTime"] = before.get("lastUpdateTime") if before and same else rfc3339(now)
    new["lastTransitionTime"] = (
        before.get("lastTransitionTime") if before and same_status else rfc3339(now)
    )
    if before is None:
        return [*old, new]
    return [new if c is before else c for c in old]
