"""Columns, cells and how they are lined up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.api.objects import Object

Cells = list[str]


class Columns(NamedTuple):
    """A kind's columns after NAME and before AGE; ``wide`` come after AGE with ``-o wide``.

    ``timed`` stands in for ``cells`` where the time matters; ``late`` come after AGE always; ``bare`` kinds have
    neither NAME nor AGE.
    """

    titles: tuple[str, ...]
    cells: Callable[[Object], Cells] = lambda _: []
    wide_titles: tuple[str, ...] = ()
    wide_cells: Callable[[Object], Cells] = lambda _: []
    timed: Callable[[Object, float], Cells] | None = None
    late_titles: tuple[str, ...] = ()
    late_cells: Callable[[Object], Cells] = lambda _: []
    bare: bool = False


def aligned(rows: Sequence[Cells]) -> str:
    """Return rows with columns three spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def age(timestamp: str | None, now: float) -> str:
    """Return how long ago something was, as kubectl shortens it."""
    return duration(now - parse_rfc3339(timestamp)) if timestamp else "<unknown>"


def duration(seconds: float) -> str:
    """Shorten a duration: two units while they matter.

    >>> duration(45), duration(150), duration(7300), duration(200000)
    ('45s', '2m30s', '121m', '2d7h')
    """
    whole = max(int(seconds), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d"


def spec_of(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status_of(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def is_ready(obj: Object) -> bool:
    conditions = status_of(obj).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def selector_text(selector: Any) -> str:
    labels = (selector or {}).get("matchLabels", selector) or {}
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if isinstance(v, str)) or "<none>"
