"""What is asked of a Pod everywhere: whether it is active, ready and available; and of conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import is_deleting
from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether a Pod counts as a replica: neither finished nor being deleted (R08)."""
    return not is_deleting(pod) and not is_finished(pod)


def condition(obj: Object, type_: str) -> dict[str, Any] | None:
    """Return the condition of a type, which must not be changed, or None."""
    conditions: list[dict[str, Any]] = (obj.get("status") or {}).get("conditions") or []
    for found in conditions:
        if found.get("type") == type_:
            return found
    return None


def is_ready(pod: Object) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def ready_since(pod: Object) -> float | None:
    """Return when the Pod became Ready (seconds since the epoch), or None if it is not."""
    found = condition(pod, "Ready")
    if found is None or found.get("status") != "True":
        return None
    text = found.get("lastTransitionTime")
    return parse_rfc3339(text) if text else 0.0


def available_in(pod: Object, min_ready_seconds: int, now: float) -> float | None:
    """Return in how many seconds the Pod will count as available: 0 is now, None is never yet (R09)."""
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, since + min_ready_seconds - now) if min_ready_seconds else 0.0


def with_condition(conditions: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions with one set; its lastTransitionTime moves only when its status does."""
    result = []
    placed = False
    for old in conditions:
        if old.get("type") != new["type"]:
            result.append(old)
            continue
        placed = True
        if old.get("status") == new["status"]:
            kept = old.get("lastTransitionTime", new.get("lastTransitionTime"))
            new = {**new, "lastTransitionTime": kept}
        result.append(new)
    return result if placed else [*result, new]
