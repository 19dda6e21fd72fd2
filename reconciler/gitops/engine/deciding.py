"""What is done about what was found: a sync, or nothing and why."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.engine.policy import (
    Facts,
    Permission,
    Policy,
    SelfHeal,
    dependencies,
    permission,
)
from reconciler.gitops.engine.policy.retrying import Failure
from reconciler.gitops.engine.report import OUT_OF_SYNC
from reconciler.gitops.engine.standing import Answer
from reconciler.gitops.history import Trigger
from reconciler.gitops.history.record import INTERRUPTED
from reconciler.gitops.plan import approval

if TYPE_CHECKING:
    from reconciler.api.requests import SyncRequest
    from reconciler.gitops.engine.concluding import Conclusion
    from reconciler.gitops.engine.operations import Operations
    from reconciler.gitops.engine.parts import Parts
    from reconciler.gitops.engine.planning import Found, Planner
    from reconciler.gitops.engine.reading import Reader
    from reconciler.gitops.engine.state import State

#: Applications that wait for each other in a circle look again after this, in seconds.
CIRCLE_SECONDS = 30.0

#: Why a sync of an approved plan is refused.
STALE = "the plan that was approved is not what a sync would do now: plan anew (`reconciler plan --app NAME --out FILE`)"


class Decider:
    """Decides for one Application, once what it wants is known."""

    def __init__(
        self,
        parts: Parts,
        reader: Reader,
        planner: Planner,
        operations: Operations,
        conclusion: Conclusion,
    ) -> None:
        self._parts = parts
        self._reader = reader
        self._planner = planner
        self._operations = operations
        self._conclusion = conclusion

    async def decide(
        self, state: State, policy: Policy, request: SyncRequest | None, *, everything: bool
    ) -> None:
        """Sync, or say why not; judge and report. ``everything``: compare all objects."""
        standing, reading = state.standing, state.reading
        back = request is None and standing.pin is not None and not standing.pin.begun
        asked = request is not None or back
        found = await self._planner.plan(
            state, policy, asked=asked, everything=everything or request is not None,
            approved=request is not None and bool(request.approved),
            adopt=policy.adopt or (request is not None and request.adopt),
        )  # fmt: skip
        if found.plan.problems:
            told = "; ".join(f"{p.key}: {p.message}" for p in found.plan.problems)
            self._conclusion.deny(state, "InvalidManifests", told, request)
            if request is None or not self._put_back(state):
                await self._conclusion.write(state)
            return
        if request is not None and request.approved:
            now = approval.approval(found.plan, reading.revision, self._parts.shared.mask)
            if not hmac.compare_digest(now, request.approved):
                standing.sync = Answer(request.at, accepted=False, message=STALE)
                if self._put_back(state):
                    return
                await self._conclusion.conclude(state, policy, self._operations)
                return
        if not state.source.stale:
            self._parts.teller.forget(OutcomeKind.INVALID)
        if state.spec_changed and standing.operation.has_failed(reading.revision):
            # A changed Application is tried anew, as a changed revision is.
            standing.operation = standing.operation._replace(phase=INTERRUPTED)
        differs, drifted = found.differs, found.drifted
        facts = self._facts(state, policy, request, found, back=back)
        permitted = permission(policy, facts) if differs or drifted else Permission(allowed=False)
        if request is not None:
            refused = differs and not permitted.allowed
            standing.sync = Answer(request.at, not refused, permitted.message if refused else "")
            if refused and self._put_back(state):
                return
        self._parts.teller.drift(drifted, warn=policy.self_heal is SelfHeal.WARN)
        if differs and permitted.allowed:
            await self._sync(state, policy, found, request, back=back)
        else:
            self._hold(state, permitted, differs=differs or bool(drifted))
            if request is not None and not differs:
                await self._operations.nothing(
                    standing, state.reading, policy, request.by, state.uid
                )
        await self._conclusion.conclude(state, policy, self._operations)

    def _put_back(self, state: State) -> bool:
        """A request is refused: what it would have replaced stays. Returns whether another look has to find that."""
        if state.standing.pin == state.replaced:
            return False
        state.standing.pin = state.replaced
        self._parts.wake()
        return True

    def _facts(
        self,
        state: State,
        policy: Policy,
        request: SyncRequest | None,
        found: Found,
        *,
        back: bool,
    ) -> Facts:
        operation = state.standing.operation
        failed = operation.has_failed(state.reading.revision)
        find = self._parts.shared.cache.snapshot.get
        circle: tuple[str, ...] = ()
        unready: tuple[str, ...] = ()
        if policy.depends_on and not back:
            apps = self._parts.shared.cache.snapshot.list(kinds.APPLICATION)
            circle = dependencies.find_circle(self._parts.name, dependencies.edges(apps))
            unready = dependencies.unready(
                policy.depends_on, lambda name: find(kinds.APPLICATION, "", name)
            )
        return Facts(
            self._parts.shared.clock.now(), new_revision=found.new, prunes=found.prunes,
            drift=tuple(f"{c.key}: {c.cause}" for c in found.drifted),
            requested=request is not None or back,
            override=back or (request is not None and request.override),
            circle=circle, unready=unready,
            failure=Failure(operation.revision, operation.tries, operation.ended, operation.passing)
            if failed else None,
            deadline=operation.deadline, failed=operation.message,
        )  # fmt: skip

    async def _sync(
        self, state: State, policy: Policy, found: Found, request: SyncRequest | None, *, back: bool
    ) -> None:
        standing = state.standing
        trigger, by = _cause(state, found, request, back=back)
        if trigger in (
            Trigger.USER,
            Trigger.REVISION,
            Trigger.WEBHOOK,
            Trigger.SOURCE,
            Trigger.SPEC,
        ):
            standing.rollback_failed = ""
        state.sync_status = OUT_OF_SYNC
        await self._reader.begin_sync()
        try:
            synced = await self._operations.sync(
                standing, found.plan, state.reading, policy, trigger, by, state.uid
            )
        finally:
            self._reader.end_sync()
        if synced.interrupted:
            self._parts.wake()
            return
        state.spec_changed = False
        pin = standing.pin
        if pin is not None:
            standing.pin = pin._replace(begun=True)
        if synced.failed:
            state.conditions["SyncFailed"] = standing.operation.message
            self._parts.wake()
            return
        self._planner.synced(state.reading)
        state.changed_manifests.clear()
        if back and pin is not None and not pin.asked:
            self._parts.teller.tell(OutcomeKind.ROLLED_BACK, "Warning", "RolledBack", pin.message)
        done = {r.change.key for r in synced.results}
        self._parts.comparer.settled(done)
        state.pruning = self._parts.guards.pruning(
            [k for k in self._parts.report.inventory if k not in done], state.reading, policy, ""
        )

    def _hold(self, state: State, permitted: Permission, *, differs: bool) -> None:
        """Nothing is synced now: say why, where that is worth saying, and when to ask again."""
        operation, revision = state.standing.operation, state.reading.revision
        if permitted.condition:
            state.conditions[permitted.condition] = permitted.message
            if permitted.condition != "SyncFailed":
                self._parts.teller.event_once(permitted.condition, permitted.message)
        self._parts.alarm.at(permitted.ask_at)
        if permitted.condition == "DependencyCycle":
            # Whoever breaks the circle may be none of those that we name.
            self._parts.alarm.after(CIRCLE_SECONDS)
        if not differs:
            state.standing.deployed = revision
            state.changed_manifests.clear()
            self._operations.came_right(state.standing, revision)
        elif operation.has_failed(revision):
            state.conditions.setdefault("SyncFailed", operation.message)


def _cause(
    state: State, found: Found, request: SyncRequest | None, *, back: bool
) -> tuple[Trigger, str]:
    """Return what a sync is made for, and by whom where that is known."""
    pin = state.standing.pin
    if pin is not None and pin.asked and (back or request is not None):
        return Trigger.REVISION, pin.by
    if request is not None:
        return Trigger.USER, request.by
    if back and pin is not None:
        return Trigger.AUTOMATIC_ROLLBACK if pin.automatic else Trigger.ROLLBACK, pin.by
    if not found.new:
        return Trigger.DRIFT, ""
    if state.spec_changed:
        return Trigger.SPEC, ""
    return Trigger.WEBHOOK if state.source.hinted else Trigger.SOURCE, ""
