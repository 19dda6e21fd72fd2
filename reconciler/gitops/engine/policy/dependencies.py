"""Which Applications must be ready before another one is synced (``spec.dependsOn``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import conditions
from reconciler.api.objects import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.api.objects import Object


def find_circle(name: str, depends_on: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the circle that an Application is part of, its name first and last; empty where there is none.

    Costs as much as the Applications that can be reached from it.
    """
    path: list[str] = [name]
    ways = [iter(depends_on.get(name, ()))]
    seen = {name}
    while ways:
        for needed in ways[-1]:
            if needed == name:
                return (*path, name)
            if needed not in seen:
                seen.add(needed)
                path.append(needed)
                ways.append(iter(depends_on.get(needed, ())))
                break
        else:
            ways.pop()
            path.pop()
    return ()


def edges(apps: Iterable[Object]) -> dict[str, tuple[str, ...]]:
    """Return which Applications each Application names."""
    return {
        name_of(a): tuple(d["name"] for d in (a.get("spec") or {}).get("dependsOn") or ())
        for a in apps
    }


def unready(names: Iterable[str], find: Callable[[str], Object | None]) -> tuple[str, ...]:
    """Return, for each Application that is not ready, its name and why."""
    found = []
    for name in names:
        why = _why_not_ready(find(name))
        if why:
            found.append(f"{name}, which {why}")
    return tuple(found)


def _why_not_ready(app: Object | None) -> str:
    if app is None:
        return "does not exist"
    status = app.get("status") or {}
    if status.get("observedGeneration", 0) < app["metadata"].get("generation", 0):
        return "has not been looked at yet"
    sync = (status.get("sync") or {}).get("status", "Unknown")
    if sync != "Synced" and not conditions.is_true(app, "RolledBack"):
        return f"is {sync}"
    health = (status.get("health") or {}).get("status", "Unknown")
    return "" if health == "Healthy" else f"is {health}"
