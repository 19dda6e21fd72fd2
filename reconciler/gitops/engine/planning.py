"""From what differs to the plan of a sync: whose the objects are, what only drifted, which hooks run, what is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import requests
from reconciler.gitops.engine import rolls
from reconciler.gitops.engine.hook_runs import HookRuns
from reconciler.gitops.engine.policy import SelfHeal, policy_of
from reconciler.gitops.plan import Change, Plan, plan

if TYPE_CHECKING:
    from reconciler.api.objects import Key
    from reconciler.api.requests import PlanRequest
    from reconciler.gitops.engine.guards import Owned
    from reconciler.gitops.engine.parts import Parts
    from reconciler.gitops.engine.policy import Policy
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.state import State


class Found(NamedTuple):
    """What a sync would do. ``new``: its revision is not the one that was synced last. ``drifted`` differs without that."""

    plan: Plan
    drifted: list[Change]
    new: bool
    prunes: bool
    hooks: bool

    @property
    def differs(self) -> bool:
        """Whether a sync would do anything."""
        return self.hooks or not self.plan.is_empty


class Preview(NamedTuple):
    """What a sync would do, and which objects it would leave alone, each with the reason."""

    reading: Reading
    plan: Plan
    held: tuple[tuple[Key, str], ...]


class Planner:
    """Makes the plans of one Application."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hooks = HookRuns()
        self._configs: set[Key] = set()

    async def plan(
        self,
        state: State,
        policy: Policy,
        *,
        asked: bool,
        approved: bool,
        adopt: bool,
        everything: bool,
    ) -> Found:
        """Return what there is to do; what is left to others, or held, is told in ``state``.

        ``asked``: somebody asks for a sync, so that drift is put back and hooks run; of an ``approved`` plan only those
        that it names. ``everything``: compare all objects.
        """
        reading, standing = state.reading, state.standing
        changes = await self._parts.comparer.compare(reading.wanted, everything=everything)
        owned = self._parts.guards.owned(changes, reading, adopt=adopt)
        self._refuse(state, owned)
        state.pruning = self._parts.guards.pruning(
            self._parts.report.inventory, reading, policy, requests.confirmed_prune(state.app)
        )
        new = standing.deployed != reading.revision
        drifted = _drifted(owned.changes, state.changed_manifests if new else frozenset())
        if policy.self_heal is SelfHeal.WARN and not asked:
            left = {c.key for c in drifted} if new else set()
            owned = owned._replace(changes=[c for c in owned.changes if c.key not in left])
        prunes = self._parts.guards.prunes(state.pruning)
        hooks = bool(reading.hooks) and (
            (asked and not approved)
            or ((new or approved) and self._hooks.are_due(reading, standing.deployed))
        )
        found = self._ordered(
            state, reading, owned.changes, prunes, hooks=hooks, fresh=asked or new
        )
        self._configs |= rolls.configs(found.changes).keys()
        return Found(found, drifted, new, bool(prunes), hooks)

    async def preview(self, state: State, reading: Reading, asked: PlanRequest) -> Preview:
        """Return what a sync to what was read would do; nothing is touched.

        Hooks are told where the sync would run them: where it does anything, where they are new, and where it is
        asked for as a user asks for one (``asked``).
        """
        app = state.app
        if not reading.revision:
            return Preview(reading, Plan(), ())
        policy = policy_of(app, self._parts.shared.retention)
        changes = await self._parts.comparer.look(reading.wanted)
        known = {c.key for c in changes}
        changes += (
            Change("unchanged", k, w.object) for k, w in reading.wanted.items() if k not in known
        )
        owned = self._parts.guards.owned(changes, reading, adopt=policy.adopt or asked.adopt)
        pruning = self._parts.guards.pruning(
            self._parts.report.inventory, reading, policy,
            asked.confirm or requests.confirmed_prune(app),
        )  # fmt: skip
        hooks = bool(reading.hooks) and (
            asked.asked or self._hooks.are_due(reading, state.standing.deployed)
        )
        prunes = self._parts.guards.prunes(pruning)
        found = self._ordered(state, reading, owned.changes, prunes, hooks=hooks, fresh=True)
        refused = ((r.key, r.message) for r in owned.refusals)
        return Preview(reading, found, (*refused, *((h.key, h.reason) for h in pruning.held)))

    def synced(self, reading: Reading) -> None:
        """A sync of it went well."""
        self._hooks.ran(reading)
        self._configs.clear()

    def _refuse(self, state: State, owned: Owned) -> None:
        state.refused = frozenset(r.key for r in owned.refusals) | owned.ignored
        for kind in dict.fromkeys(r.condition for r in owned.refusals):
            told = [r.message for r in owned.refusals if r.condition == kind]
            more = f"\n… and {len(told) - 5} more" if len(told) > 5 else ""
            state.conditions[kind] = "\n".join(told[:5]) + more
            self._parts.teller.event_once(kind, state.conditions[kind])

    def _ordered(
        self,
        state: State,
        reading: Reading,
        changes: list[Change],
        prunes: list[Change],
        *,
        hooks: bool,
        fresh: bool,
    ) -> Plan:
        """Order what differs; with a new revision, also its hooks and what later waves wait for.

        What only drifted is put back at once and by itself.
        """
        wanted = reading.wanted
        # What an earlier try changed and did not come to the readers of counts as changed.
        changes = rolls.with_rolls(
            changes, {k: w for k, w in wanted.items() if w.reads and k not in state.refused},
            self._parts.guards.live, self._configs,
        )  # fmt: skip
        if fresh and (hooks or prunes or any(c.action != "unchanged" for c in changes)):
            waits = bool(hooks or prunes) or any(w.ordered for w in wanted.values())
            # Where nothing waits for more than what it uses to be applied, what is unchanged need not be looked at.
            known = {c.key for c in changes} | state.refused
            rest = (
                Change("unchanged", k, w.object)
                for k, w in wanted.items()
                if waits and k not in known
            )
            changes = [*changes, *rest, *self._hooks.changes(reading, state.app)]
        return plan([*changes, *prunes])


def _drifted(changes: list[Change], changed: set[Key] | frozenset[Key]) -> list[Change]:
    """Return what differs though its manifest is the one that was synced last, which those of ``changed`` are not."""
    return [c for c in changes if c.action != "unchanged" and c.key not in changed]
