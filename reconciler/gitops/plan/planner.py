"""Putting changes in order.

Edges come from namespaces and custom types, from what objects use, from depends-on annotations, from waves and hooks, and
from the order of kinds. For N changes with E references between them: O(N log N + E).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.plan.barriers import node, settle_stages, with_barriers
from reconciler.gitops.plan.draft import Draft, add_edges, add_nodes
from reconciler.gitops.plan.graph import Plan
from reconciler.gitops.plan.sorting import cycle as cycle_of
from reconciler.gitops.plan.sorting import ordered, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.gitops.plan.change import Change


def plan(changes: Iterable[Change]) -> Plan:
    """Order changes. What cannot be ordered is told in ``problems``; then nothing should be applied.

    Changes that are ``unchanged`` may be left out; those given are waited for where others come after them. A hook is
    run where it is given (action ``hook``).
    """
    draft = Draft()
    add_nodes(draft, changes)
    add_edges(draft)
    order = ordered(draft)
    if len(order) < len(draft.changes):
        cycle = cycle_of(draft, order)
        draft.problems.append(told(draft, cycle))
        keys = tuple(draft.key(i) for i in cycle)
        nodes = tuple(node(draft, i) for i in range(len(draft.changes)))
        return Plan(
            nodes, on_failure=tuple(draft.on_failure), problems=tuple(draft.problems), cycle=keys
        )
    settle_stages(draft, order)
    return with_barriers(draft, order)
