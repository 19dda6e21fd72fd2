"""What a plan is: nodes, and edges with their reasons."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from reconciler.api.objects import Key
    from reconciler.gitops.hooks import Hook
    from reconciler.gitops.plan.change import Change
    from reconciler.gitops.plan.order import Stage


class Need(IntEnum):
    """How far a predecessor must be. ``ORDER`` alone is met by one that failed, too."""

    ORDER = 0  # it was tried
    APPLIED = 1  # it was applied
    RECONCILED = 2  # its controller has done what was asked (kstatus)
    HEALTHY = 3  # it serves (Argo CD's health)
    GONE = 4  # it is deleted


class Edge(NamedTuple):
    """One node before another: positions in ``Plan.nodes``, the reason in words, and how far the first must be."""

    before: int
    after: int
    reason: str
    need: Need


class Node(NamedTuple):
    """One change (or hook), or where several meet.

    A barrier has neither change nor external; ``label`` says what it stands for. ``external`` is an object of somebody
    else that is waited for.
    """

    stage: Stage
    place: int
    change: Change | None = None
    hook: Hook | None = None
    external: Key | None = None
    label: str = ""


class Problem(NamedTuple):
    """Why changes cannot be ordered; ``key`` is the object to look at."""

    key: Key
    message: str


class Plan(NamedTuple):
    """Nodes in an order that respects every edge. With ``problems`` nothing should be applied."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    on_failure: tuple[Change, ...] = ()  # SyncFail hooks
    problems: tuple[Problem, ...] = ()
    cycle: tuple[Key, ...] = ()  # the first key repeated at its end

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change in order, hooks included, those on failure excluded."""
        return tuple(n.change for n in self.nodes if n.change is not None)

    @property
    def prunes(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.action == "prune")

    @property
    def is_empty(self) -> bool:
        """Whether no object differs; hooks alone are no reason to sync."""
        return all(c.action in ("unchanged", "hook") for c in self.changes)

    @property
    def is_synced(self) -> bool:
        """Whether everything wanted is as wanted; something may be left to prune."""
        return all(c.action in ("unchanged", "hook", "prune") for c in self.changes)

    def counts(self) -> dict[str, int]:
        """Return how many changes there are of each action."""
        result = dict.fromkeys(("create", "update", "prune", "unchanged", "hook"), 0)
        for change in self.changes:
            result[change.action] += 1
        return result

    def to_json(self) -> dict[str, Any]:
        """Return what would change, in order, each change with what it comes after for its own sake."""
        after: dict[int, list[dict[str, str]]] = {}
        for edge in self.edges:
            before = self.nodes[edge.before]
            key = before.external
            if before.change is not None and before.change.action != "unchanged":
                key = before.change.key
            if key is not None:
                row = {"object": str(key), "reason": edge.reason, "need": edge.need.name.lower()}
                if before.external is not None:
                    row["keptBy"] = "somebody else"
                after.setdefault(edge.after, []).append(row)
        changes = [
            {**node.change.to_json(), "stage": str(node.stage), "after": after.get(index, [])}
            for index, node in enumerate(self.nodes)
            if node.change is not None and node.change.action != "unchanged"
        ]
        result: dict[str, Any] = {"summary": self.counts(), "changes": changes}
        if self.on_failure:
            result["onFailure"] = [c.to_json() for c in self.on_failure]
        if self.problems:
            told = [{"object": str(p.key), "message": p.message} for p in self.problems]
            result["problems"] = told
        return result
