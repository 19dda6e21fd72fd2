"""Sorting a graph, and finding the circle where it cannot be sorted."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from reconciler.gitops.plan.graph import Problem

if TYPE_CHECKING:
    from reconciler.api.objects import Key
    from reconciler.gitops.plan.draft import Draft
    from reconciler.gitops.plan.order import Stage


def ordered(draft: Draft) -> list[int]:
    """Sort by stage, place and key as far as hard edges allow; what lies on a cycle is left out."""
    waiting = [0] * len(draft.changes)
    following: dict[int, list[int]] = {}
    for edge in draft.hard:
        waiting[edge.after] += 1
        following.setdefault(edge.before, []).append(edge.after)

    def rank(index: int) -> tuple[Stage, int, Key]:
        return draft.stages[index], draft.places[index], draft.key(index)

    by_rank = sorted(range(len(waiting)), key=rank)
    place = [0] * len(waiting)
    for at, index in enumerate(by_rank):
        place[index] = at
    ready = [at for at, index in enumerate(by_rank) if waiting[index] == 0]  # sorted, and so a heap
    order: list[int] = []
    while ready:
        index = by_rank[heapq.heappop(ready)]
        order.append(index)
        for after in following.get(index, ()):
            waiting[after] -= 1
            if waiting[after] == 0:
                heapq.heappush(ready, place[after])
    return order


def cycle(draft: Draft, order: list[int]) -> list[int]:
    """Return one cycle of what could not be ordered, its first node repeated at the end."""
    left = set(range(len(draft.changes))) - set(order)
    inside = (e for e in draft.hard if e.before in left and e.after in left)
    first = sorted(inside, key=lambda e: (draft.key(e.before), e.before), reverse=True)
    before = {e.after: e.before for e in first}
    # What only hangs on a cycle has a predecessor in it, too: going back always ends on the cycle itself.
    path = [min(left, key=draft.key)]
    place = {path[0]: 0}
    while (following := before[path[-1]]) not in place:
        place[following] = len(path)
        path.append(following)
    found = path[place[following] :]
    start = found.index(min(found, key=draft.key))
    found = found[start:] + found[:start]
    return [*found, found[0]]


def told(draft: Draft, cycle: list[int]) -> Problem:
    reasons = {(e.after, e.before): e.reason for e in sorted(draft.hard, reverse=True)}
    words = str(draft.key(cycle[0]))
    for after, before in itertools.pairwise(cycle):
        words += f" → {draft.key(before)} ({reasons[after, before]})"
    return Problem(draft.key(cycle[0]), f"each of these comes after the next, in a circle: {words}")
