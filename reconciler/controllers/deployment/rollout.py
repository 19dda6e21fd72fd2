"""A Deployment's arithmetic: how far each ReplicaSet may be scaled now. Pure numbers, no objects."""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """How many Pods a rollout may have too many, and how many may be missing."""

    surge: int
    unavailable: int


class Size(NamedTuple):
    """One ReplicaSet in numbers: asked for (spec.replicas) and available."""

    name: str
    spec: int
    available: int


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """Resolve a number or percentage of ``total``; unset or unreadable is 25 %."""
    if isinstance(value, int):
        return value
    text = str(value or "25%")
    if not text.endswith("%") or not text[:-1].isdigit():
        text = "25%"
    product = int(text[:-1]) * total
    return -(-product // 100) if round_up else product // 100


def bounds(surge: int | str | None, unavailable: int | str | None, replicas: int) -> Bounds:
    """Resolve maxSurge (up) and maxUnavailable (down, at most all); both 0 makes 0 and 1 (DP02 to DP04)."""
    up = scaled(surge, replicas, round_up=True)
    down = scaled(unavailable, replicas, round_up=False)
    if up == 0 and down == 0:
        down = 1
    return Bounds(up, min(down, replicas))


def grow(replicas: int, limits: Bounds, new: Size, old: list[Size]) -> int:
    """Return the new ReplicaSet's next size (DP14)."""
    if new.spec >= replicas:
        return replicas
    total = new.spec + sum(size.spec for size in old)
    room = replicas + limits.surge - total
    return new.spec + max(0, min(room, replicas - new.spec))


def shrink(replicas: int, limits: Bounds, new: Size, old: list[Size]) -> dict[str, int]:
    """Return the next sizes of old ReplicaSets (oldest first) that get smaller (DP15, DP16).

    What is not available goes first, since nobody misses it; then what is available, down to the least allowed.
    """
    least = replicas - limits.unavailable
    total = new.spec + sum(size.spec for size in old)
    budget = total - least - max(0, new.spec - new.available)
    if budget <= 0:
        return {}
    sizes = {size.name: size.spec for size in old}
    for size in old:
        dead = min(budget, max(0, size.spec - size.available))
        sizes[size.name] -= dead
        budget -= dead
    spare = new.available + sum(size.available for size in old) - least
    for size in old:
        going = max(0, min(spare, budget, sizes[size.name]))
        sizes[size.name] -= going
        spare -= going
        budget -= going
    return {size.name: sizes[size.name] for size in old if sizes[size.name] < size.spec}


def proportional(
    sizes: list[tuple[str, int, int]], allowed: int, *, newer_first: bool
) -> dict[str, int]:
    """Scale ReplicaSets (name, size, former max-replicas; oldest first) in proportion to ``allowed`` (DP18)."""
    total = sum(size for _, size, _ in sizes)
    to_add = allowed - total
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], -i if newer_first else i))
    result: dict[str, int] = {}
    added = 0
    for i in order:
        name, size, former = sizes[i]
        share = 0
        if size and to_add:
            exact = size * allowed / (former or total) - size
            share = int(abs(exact) + 0.5) * (1 if exact >= 0 else -1)
            left = to_add - added
            share = min(share, left) if to_add > 0 else max(share, left)
            share = max(share, 0) if to_add > 0 else min(share, 0)
        result[name] = size + share
        added += share
    if order and to_add != added:
        biggest = sizes[order[0]][0]
        result[biggest] = max(0, result[biggest] + to_add - added)
    return result
