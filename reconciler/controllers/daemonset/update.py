"""A DaemonSet's rolling update: whose old Pod goes, and where a new one comes beside it. Pure numbers and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.int_or_string import scaled

if TYPE_CHECKING:
    from reconciler.api.objects import Object


class Place(NamedTuple):
    """A Node's Pods in an update, at most one of each template; each with whether it is available."""

    node: str
    new: Object | None
    new_available: bool
    old: Object | None
    old_available: bool


class Limits(NamedTuple):
    """How many Nodes may be without an available Pod, and how many may have two."""

    unavailable: int
    surge: int


def limits(update: dict[str, Any], nodes: int) -> Limits:
    """Resolve maxUnavailable and maxSurge, both rounded up; both 0 makes 1 and 0."""
    rolling = update.get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge"), nodes, round_up=True)
    unavailable = rolling.get("maxUnavailable")
    down = scaled(1 if unavailable is None else unavailable, nodes, round_up=True)
    return Limits(down if down or surge else 1, surge)


def to_delete(places: list[Place], most: int) -> list[Object]:
    """Return the old Pods to delete: those nobody misses, and of the others as many as ``most`` leaves room for."""
    going: list[Object] = []
    candidates: list[Object] = []
    missing = 0
    for place in places:
        if place.new is not None or place.old is None:
            missing += not place.new_available
        elif place.old_available:
            candidates.append(place.old)
        else:
            missing += 1
            going.append(place.old)
    return going + candidates[: max(0, most - missing)]


def to_surge(places: list[Place], most: int) -> tuple[list[str], list[Object]]:
    """Return the Nodes that get a new Pod beside their old one, and the old Pods that have been replaced."""
    creating: list[str] = []
    candidates: list[str] = []
    replaced: list[Object] = []
    surging = 0
    for place in places:
        if place.old is None:
            continue
        if place.new is None:
            (candidates if place.old_available else creating).append(place.node)
        elif place.new_available:
            replaced.append(place.old)
        else:
            surging += 1
    return creating + candidates[: max(0, most - surging)], replaced
