"""Where many changes meet: the stages of a sync and the order of kinds, with edges that grow with N and not its square."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.plan.graph import Edge, Need, Node, Plan
from reconciler.gitops.plan.order import Phase

if TYPE_CHECKING:
    from reconciler.gitops.plan.draft import Draft
    from reconciler.gitops.plan.order import Stage


def settle_stages(draft: Draft, order: list[int]) -> None:
    """Let hard edges win over waves and kinds.

    What a hook before the sync needs comes before it, with all that it needs itself; a Namespace and a custom type come
    before the first that needs them (Argo CD); anything else waits for the later stage of what it needs.
    """
    stages, places = draft.stages, draft.places
    into: dict[int, list[int]] = {}
    for edge in draft.hard:
        into.setdefault(edge.after, []).append(edge.before)
    for index in reversed(order):
        stage = stages[index]
        if stage.phase is Phase.PRUNE:
            continue
        for before in into.get(index, ()):
            change = draft.changes[before]
            if change is None:
                continue
            first = change.key.kind in ("Namespace", "CustomResourceDefinition")
            if first or stages[before].phase > stage.phase:
                stages[before] = min(stages[before], stage)
    for index in order:
        for before in into.get(index, ()):
            if draft.changes[before] is None:
                continue
            if stages[before] > stages[index]:
                stages[index], places[index] = stages[before], places[before]
            elif stages[before] == stages[index]:
                places[index] = max(places[index], places[before])


def node(draft: Draft, index: int) -> Node:
    change = draft.changes[index]
    external = draft.key(index) if change is None else None
    return Node(draft.stages[index], draft.places[index], change, draft.hooks[index], external)


class _Layout:
    """Nodes as they are laid down, with a barrier before each stage but the first, and before each further place in it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._stages: list[tuple[Stage, list[int]]] = []
        self._gate = -1  # the barrier before this stage
        self._step = -1  # the barrier before this place
        self._place = 0
        self._before: list[int] = []  # whom the next place waits for

    def put(self, node: Node, *, held: bool) -> int:
        """Lay down the next node and return its position; nothing waits for a held one for its kind's sake."""
        if node.external is not None:
            self.nodes.append(node)
            return len(self.nodes) - 1
        if not self._stages or self._stages[-1][0] != node.stage:
            self._open_stage(node.stage)
        elif self._place != node.place:
            self._open_place(node.stage, node.place)
        self._place = node.place
        position = len(self.nodes)
        self.nodes.append(node)
        self._stages[-1][1].append(position)
        if not held:
            self._before.append(position)
        if self._step >= 0:
            self.edges.append(Edge(self._step, position, "order of kinds", Need.ORDER))
        if self._gate >= 0:
            label = self.nodes[self._gate].label
            self.edges.append(Edge(self._gate, position, label, Need.APPLIED))
        return position

    def _open_stage(self, stage: Stage) -> None:
        if self._stages:
            last, positions = self._stages[-1]
            label = f"{stage} comes after {last}"
            self._gate = self._barrier(
                stage, label, positions, _need_between(last.phase, stage.phase)
            )
            if last.phase is Phase.PRUNE and stage.phase is Phase.POST_SYNC:
                synced = next((m for s, m in reversed(self._stages) if s.phase is Phase.SYNC), [])
                self.edges += [Edge(p, self._gate, label, Need.HEALTHY) for p in synced]
        self._stages.append((stage, []))
        self._step, self._before = -1, []

    def _open_place(self, stage: Stage, place: int) -> None:
        before = [*self._before, *([self._step] if self._step >= 0 else ())]
        self._step = self._barrier(stage, "order of kinds", before, Need.ORDER, place)
        self._before = []

    def _barrier(
        self, stage: Stage, label: str, before: list[int], need: Need, place: int = -1
    ) -> int:
        position = len(self.nodes)
        self.nodes.append(Node(stage, place, label=label))
        self.edges += [Edge(b, position, label, need) for b in before]
        return position


def with_barriers(draft: Draft, order: list[int]) -> Plan:
    """Return the plan of a sorted draft whose stages are settled."""
    rank = {index: at for at, index in enumerate(order)}
    stages, places = draft.stages, draft.places
    order = sorted(order, key=lambda i: (stages[i], places[i], rank[i]))
    held = _held(draft, order)
    layout = _Layout()
    at = {index: layout.put(node(draft, index), held=index in held) for index in order}
    hard = sorted(Edge(at[e.before], at[e.after], e.reason, e.need) for e in draft.hard)
    return Plan(
        tuple(layout.nodes), (*layout.edges, *hard), tuple(draft.on_failure), tuple(draft.problems)
    )


def _held(draft: Draft, order: list[int]) -> set[int]:
    """Return what waits for something slow: nothing waits for it just for the order of kinds."""
    slow: dict[int, list[tuple[int, bool]]] = {}
    for edge in draft.hard:
        slow.setdefault(edge.after, []).append((edge.before, edge.slow))
    held: set[int] = set()
    for index in order:
        if any(is_slow or before in held for before, is_slow in slow.get(index, ())):
            held.add(index)
    return held


def _need_between(before: Phase, after: Phase) -> Need:
    if before is Phase.PRUNE:
        return Need.GONE if after is Phase.PRUNE else Need.APPLIED
    # A CronJob whose last run failed is not healthy, and no reason to keep what nobody wants.
    return Need.RECONCILED if after is Phase.PRUNE else Need.HEALTHY
