"""A plan in the making: its nodes, and the edges that the objects themselves ask for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from reconciler.gitops.hooks import HookPhase, hook_of
from reconciler.gitops.plan.dependencies import (
    Dependency,
    defined_type,
    home_of,
    references,
)
from reconciler.gitops.plan.depends_on import BadDependency, depends_on
from reconciler.gitops.plan.graph import Need, Problem
from reconciler.gitops.plan.order import Phase, Stage, is_passive, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.objects import Key
    from reconciler.gitops.hooks import Hook
    from reconciler.gitops.plan.change import Change

_PHASES = {
    HookPhase.PRE_SYNC: Phase.PRE_SYNC,
    HookPhase.SYNC: Phase.SYNC,
    HookPhase.POST_SYNC: Phase.POST_SYNC,
}


class Hard(NamedTuple):
    """An edge that holds for what the two objects are; ``slow``: the first takes its time."""

    before: int
    after: int
    reason: str
    need: Need
    slow: bool


class Draft:
    """A plan in the making: nodes as they come, and the edges that objects themselves ask for."""

    def __init__(self) -> None:
        self.changes: list[Change | None] = []
        self.hooks: list[Hook | None] = []
        self.externals: dict[Key, int] = {}
        self._external_keys: dict[int, Key] = {}
        self.stages: list[Stage] = []
        self.places: list[int] = []
        self.hard: list[Hard] = []
        self.problems: list[Problem] = []
        self.on_failure: list[Change] = []

    def add(self, change: Change | None, stage: Stage, place: int, hook: Hook | None = None) -> int:
        self.changes.append(change)
        self.hooks.append(hook)
        self.stages.append(stage)
        self.places.append(place)
        return len(self.changes) - 1

    def external(self, key: Key) -> int:
        """Return the node of an object that somebody else keeps; it is waited for and never written."""
        index = self.externals.get(key)
        if index is None:
            index = self.externals[key] = self.add(None, Stage(Phase.PRE_SYNC, -(1 << 30)), -1)
            self._external_keys[index] = key
        return index

    def key(self, index: int) -> Key:
        change = self.changes[index]
        return change.key if change is not None else self._external_keys[index]


def add_nodes(draft: Draft, changes: Iterable[Change]) -> None:
    for change in changes:
        place = place_of(change.key.kind)
        if change.action == "prune":
            draft.add(change, Stage(Phase.PRUNE, -change.wave), -place)
            continue
        hook = hook_of(change.object or {}) if change.action == "hook" else None
        if hook is None:
            draft.add(change, Stage(Phase.SYNC, change.wave), place)
            continue
        for phase in hook.phases:
            if phase is HookPhase.SYNC_FAIL:
                draft.on_failure.append(change)
            else:
                draft.add(change, Stage(_PHASES[phase], change.wave), place, hook)
    draft.on_failure.sort(key=lambda c: (c.wave, c.key))


def add_edges(draft: Draft) -> None:
    kept: dict[Key, int] = {}
    pruned: dict[Key, int] = {}
    types: dict[tuple[str, str], int] = {}
    for index, change in enumerate(draft.changes):
        assert change is not None  # noqa: S101 - barriers come later
        (pruned if change.action == "prune" else kept).setdefault(change.key, index)
        defined = defined_type((change.object if change.object is not None else change.live) or {})
        if defined is not None:
            types[defined] = index
    for index in range(len(draft.changes)):
        change = draft.changes[index]
        assert change is not None  # noqa: S101
        if change.action == "prune":
            _prune_edges(draft, index, change, pruned, types)
        else:
            _wanted_edges(draft, index, change, kept, types)


def _wanted_edges(
    draft: Draft,
    index: int,
    change: Change,
    kept: dict[Key, int],
    types: dict[tuple[str, str], int],
) -> None:
    seen: set[int] = set()
    for needed in _needs(draft, change):
        before = kept.get(needed.key)
        if before is None and needed.explicit:
            before = draft.external(needed.key)
        if before is None or before in seen:
            continue
        if before == index and not needed.explicit:
            continue
        seen.add(before)
        slow = (
            draft.changes[before] is None
            or draft.hooks[before] is not None
            or not is_passive(needed.key.kind)
        )
        # A Job that runs is reconciled (kstatus); who comes after a Job wants it to have ended well.
        need = Need.HEALTHY if needed.key.kind == "Job" else Need.RECONCILED
        draft.hard.append(Hard(before, index, needed.reason, need, slow))
    defining = types.get((change.key.group, change.key.kind))
    if defining is not None and defining not in seen and change.action != "unchanged":
        draft.hard.append(Hard(defining, index, "it is of that type", Need.RECONCILED, slow=False))


def _needs(draft: Draft, change: Change) -> Iterator[Dependency]:
    obj = change.object
    assert obj is not None  # noqa: S101 - the caller looked
    try:
        yield from (Dependency(key, "depends-on", explicit=True) for key in depends_on(obj))
    except BadDependency as error:
        draft.problems.append(Problem(change.key, str(error)))
    if change.action == "unchanged":
        # It is there already: only what others come after it for counts.
        return
    home = home_of(change.key)
    if home is not None:
        yield home
    yield from references(obj, change.key)


def _prune_edges(
    draft: Draft,
    index: int,
    change: Change,
    pruned: dict[Key, int],
    types: dict[tuple[str, str], int],
) -> None:
    """A deletion goes the other way round: what depends on an object is gone before it."""
    keys: dict[Key, str] = {}
    home = home_of(change.key)
    if home is not None:
        keys[home.key] = "it lived in it"
    # It was applied long ago: an annotation that cannot be read is no reason to keep it.
    with contextlib.suppress(BadDependency):
        keys |= dict.fromkeys(depends_on(change.live or {}), "it depended on it")
    targets = {pruned[k]: reason for k, reason in keys.items() if k in pruned}
    defining = types.get((change.key.group, change.key.kind))
    if defining is not None:
        targets.setdefault(defining, "it was of that type")
    for target, reason in targets.items():
        found = draft.changes[target]
        if target != index and found is not None and found.action == "prune":
            draft.hard.append(Hard(index, target, reason, Need.GONE, slow=True))
