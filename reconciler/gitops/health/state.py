"""What health is, and the worst of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

HEALTHY = "Healthy"
PROGRESSING = "Progressing"
DEGRADED = "Degraded"
SUSPENDED = "Suspended"
MISSING = "Missing"
UNKNOWN = "Unknown"

#: From best to worst: an Application is as healthy as its worst object (Argo CD's order).
_ORDER = (HEALTHY, SUSPENDED, PROGRESSING, MISSING, DEGRADED, UNKNOWN)


class Health(NamedTuple):
    """One object's health, and why where it is not healthy."""

    status: str
    message: str = ""


def worst(healths: Iterable[Health]) -> Health:
    """Return the worst of several; nothing at all is healthy."""
    return max(healths, key=lambda h: _ORDER.index(h.status), default=Health(HEALTHY))


def spec_of(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status_of(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}
