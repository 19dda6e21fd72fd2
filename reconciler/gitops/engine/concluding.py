"""The end of each look: what the last sync came to, whether to go back by itself, and the status that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.engine import rollback
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.engine.report import OUT_OF_SYNC, SYNCED, UNKNOWN
from reconciler.gitops.engine.standing import Answer
from reconciler.gitops.engine.telling import held_message

if TYPE_CHECKING:
    from reconciler.api.objects import Key, Object
    from reconciler.api.requests import SyncRequest
    from reconciler.gitops.engine.desired import Wanted
    from reconciler.gitops.engine.operations import Operations
    from reconciler.gitops.engine.parts import Parts
    from reconciler.gitops.engine.policy import Policy
    from reconciler.gitops.engine.state import State

#: Conditions of a source that cannot be had: whether anything differs from it is not known.
_UNREAD = {"SourceError", "RenderError"}
#: Conditions of a source that holds what cannot be used.
_INVALID = {"InvalidManifests", *_UNREAD}
#: Conditions that keep an Application from being Synced though nothing of its own differs.
_HINDERED = {"SyncFailed", "SharedResource", "AdoptionRefused", "DependencyCycle"}


class Conclusion:
    """Judges and reports one Application."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def deny(
        self, state: State, condition: str, message: str, request: SyncRequest | None = None
    ) -> None:
        """Remember why nothing can be done; nothing is touched."""
        state.conditions[condition] = message
        if request is not None:
            state.standing.sync = Answer(
                request.at, accepted=False, message=message, invalid=condition in _INVALID
            )
        state.sync_status = UNKNOWN if condition in _UNREAD else OUT_OF_SYNC
        self._parts.teller.once(
            OutcomeKind.INVALID, (condition, message), "Warning", condition, message
        )

    async def conclude(self, state: State, policy: Policy, operations: Operations) -> None:
        """Judge what the sync came to, go back where that is asked for, and write the status."""
        standing, conditions = state.standing, state.conditions
        held = [h for h in state.pruning.held if h.confirmable]
        if held or (state.pruning.held and not state.reading.wanted):
            message = held_message(state.pruning, self._parts.name)
            conditions["PruneHeld"] = message
            self._parts.teller.once(
                OutcomeKind.HELD, state.pruning.held, "Warning", "PruneHeld", message
            )
        assessment = self._parts.report.assess(self._states(state), self._parts.comparer.differing)
        failed = await operations.verify(
            standing, state.reading, policy, assessment.healths, state.uid
        )
        self._parts.alarm.at(operations.look_at(standing))
        if failed and policy.rollback_on_failure and not standing.rollback_failed:
            await self._go_back(state, failed)
        if standing.operation.health == "Degraded" and not conditions.get("SyncFailed"):
            conditions["NotHealthy"] = standing.operation.message
        if standing.rollback_failed:
            conditions["RollbackFailed"] = standing.rollback_failed
        if standing.pin is not None:
            conditions[standing.pin.condition] = standing.pin.message
        synced = standing.deployed == state.reading.revision and not (
            self._parts.comparer.differing - state.refused
            or held
            or standing.pin
            or _HINDERED & conditions.keys()
        )
        unread = _UNREAD & conditions.keys()
        state.sync_status = UNKNOWN if unread else SYNCED if synced else OUT_OF_SYNC
        now = assessment.worst.status
        if now in ("Healthy", "Degraded") and now != standing.health:
            standing.health = now
            told = OutcomeKind.HEALTHY if now == "Healthy" else OutcomeKind.DEGRADED
            self._parts.teller.tell(
                told, "", "", assessment.message or f"{self._parts.name} is healthy"
            )
        await self.write(state)

    async def _go_back(self, state: State, reason: str) -> None:
        standing = state.standing
        records = await self._parts.recording.records(state.uid)
        try:
            found = rollback.automatic(
                standing, records, state.source.revision, reason, self._parts.shared.clock.now()
            )
            kept = await self._parts.recording.keep_set(state.source)
            standing.pin = found._replace(source_set=kept)
        except rollback.CannotRollBack as error:
            standing.rollback_failed = str(error)
            self._parts.teller.event_once("RollbackFailed", str(error))
        else:
            self._parts.wake()

    async def write(self, state: State) -> None:
        """Write the status, as far as everything is known."""
        assessment = self._parts.report.assess(self._states(state), self._parts.comparer.differing)
        await self._parts.report.write(
            state.app, assessment, state.standing, sync=state.sync_status,
            revision=state.reading.revision, conditions=state.conditions, pruning=state.pruning,
        )  # fmt: skip

    def _states(self, state: State) -> list[tuple[Key, Wanted | None, Object | None]]:
        """Return every object of the inventory with its live state, for the report."""
        rows: list[tuple[Key, Wanted | None, Object | None]] = []
        for key, wanted in state.reading.wanted.items():
            mine = None if key in state.refused else wanted
            rows.append((key, mine, self._parts.guards.live(key) or self._parts.comparer.seen(key)))
        for key in self._parts.report.inventory:
            if key not in state.reading.wanted:
                live = self._parts.guards.live(key)
                if self._parts.guards.is_mine(live):
                    rows.append((key, None, live))
        return rows
