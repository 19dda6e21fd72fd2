"""The loop of one Application: read, compare, decide, sync, report. What each of them does has a module of its own."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, NamedTuple

import structlog

from reconciler.api import kinds, requests
from reconciler.api.objects import is_deleting, uid_of
from reconciler.clock import rfc3339
from reconciler.errors import ReconcilerError
from reconciler.gitops.engine import rollback
from reconciler.gitops.engine.alarm import Alarm
from reconciler.gitops.engine.comparing import Comparer
from reconciler.gitops.engine.deletion import delete_all
from reconciler.gitops.engine.guards import Guards, Owned
from reconciler.gitops.engine.hook_runs import HookRuns
from reconciler.gitops.engine.operations import Operations
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.engine.policy import (
    Facts,
    Permission,
    Policy,
    PolicyError,
    SelfHeal,
    dependencies,
    permission,
    policy_of,
)
from reconciler.gitops.engine.policy.pruning import Pruning
from reconciler.gitops.engine.policy.retrying import Failure, Retry
from reconciler.gitops.engine.reading import Invalid, Reader, Reading
from reconciler.gitops.engine.recording import Recording
from reconciler.gitops.engine.report import OUT_OF_SYNC, SYNCED, UNKNOWN, Report
from reconciler.gitops.engine.standing import Answer, Standing
from reconciler.gitops.engine.syncing import Syncer
from reconciler.gitops.engine.telling import Teller, held_message
from reconciler.gitops.history import HistoryError, Trigger
from reconciler.gitops.history.record import INTERRUPTED
from reconciler.gitops.plan import Change, Plan, approval, plan

if TYPE_CHECKING:
    from reconciler.api.objects import Key, Object
    from reconciler.api.requests import SyncRequest
    from reconciler.gitops.engine.desired import Wanted
    from reconciler.gitops.engine.shared import Shared

log = structlog.get_logger(__name__)

#: Changes of objects come in bursts: one look for all of them, in seconds.
SETTLE_SECONDS = 0.1
#: A source that cannot be read or used is tried again after this, doubling, in seconds.
READ_AGAIN = Retry(limit=-1, first=2.0, factor=2.0, longest=120.0)
#: Applications that wait for each other in a circle look again after this, in seconds.
CIRCLE_SECONDS = 30.0

#: Why a sync of an approved plan is refused.
STALE = "the plan that was approved is not what a sync would do now: plan anew (`reconciler plan --app NAME --out FILE`)"


class Preview(NamedTuple):
    """What a sync would do, and which objects it would leave alone, each with the reason."""

    reading: Reading
    plan: Plan
    held: tuple[tuple[Key, str], ...]


class ApplicationLoop:
    """Keeps one Application."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._wake = asyncio.Event()
        self._wake.set()
        self._interrupt = asyncio.Event()
        self._reader = Reader(shared, name, self._wake.set, self._interrupt)
        self._source = Reading()
        self._reading = Reading()
        self._pinned: tuple[str, Reading] | None = None
        self._comparer = Comparer(shared, name)
        self._guards = Guards(shared, name, shared.claims)
        self._recording = Recording(shared, name)
        syncer = Syncer(shared, name, self._comparer, self._interrupt, self._write)
        self._report = Report(shared.clock, shared.client, name)
        self._hooks = HookRuns()
        self._standing = Standing()
        self._teller = Teller(shared)
        self._operations = Operations(shared, self._recording, syncer, self._teller.tell)
        self._app: Object = {}
        self._uid = ""
        self._everything = True
        self._spec_changed = False
        self._read_failures = 0
        self._changed_manifests: set[Key] = set()
        self._depends_on: frozenset[str] = frozenset()
        self._conditions: dict[str, str] = {}
        self._pruning = Pruning()
        self._refused: frozenset[Key] = frozenset()
        self._sync_status = UNKNOWN
        self._alarm = Alarm(shared.clock, self._wake.set)

    # -- hints ---------------------------------------------------------------------------------------------------

    def application_changed(self, old: Object | None, new: Object | None) -> None:
        """Wake when the Application itself asks for something (its status is ours)."""
        if old is None or new is None or requests.asks(old) != requests.asks(new):
            other = old is None or new is None or old.get("spec") != new.get("spec")
            self._everything = self._everything or other
            self._spec_changed = self._spec_changed or other
            self._interrupt.set()
            self._wake.set()

    def dependency_changed(self, name: str) -> None:
        """Another Application changed: wake when we wait for it."""
        if name in self._depends_on:
            self._wake.set()

    def object_changed(self, key: Key) -> None:
        """An object that carries our mark, or that we may have now, changed: look at it again."""
        self._comparer.moved((key,))
        self._wake.set()

    def variables_changed(self, key: Key) -> None:
        """A ConfigMap or Secret changed: if variables come from it, read again."""
        if key in self._reader.references:
            self._wake.set()

    # -- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until the Application is gone."""
        try:
            async with asyncio.TaskGroup() as group:
                while not await self._turn(group):
                    await self._wake.wait()
                    if not self._reader.moved.is_set():
                        await self._shared.clock.sleep(SETTLE_SECONDS)
                await self._reader.close()
        finally:
            self._alarm.clear()
            self._shared.claims.forget(self._name)
        await self._recording.drop()

    async def _turn(self, group: asyncio.TaskGroup) -> bool:
        """Look and act once; returns whether the Application is gone."""
        self._wake.clear()
        self._interrupt.clear()
        self._alarm.clear()
        app = self._shared.cache.snapshot.get(kinds.APPLICATION, "", self._name)
        if app is None:
            return True
        self._app = app
        if self._uid != uid_of(app):
            self._uid, self._standing = uid_of(app), Standing.of(app.get("status") or {})
            self._report.load(app)
        self._teller.about(app, self._reading, self._standing)
        try:
            if is_deleting(app):
                return await delete_all(
                    self._shared.client, self._shared.cache, app, keep=self._is_shared
                )
            await self._reconcile(app, group)
        except ReconcilerError as error:
            log.warning("sync failed", application=self._name, error=str(error))
            self._look_again()
        except Exception:
            # One Application's trouble must not end the others' loops.
            log.exception("application loop failed", application=self._name)
            self._look_again()
        return False

    def _is_shared(self, key: Key) -> bool:
        """Whether another Application has use for an object of ours."""
        return any(name != self._name for name in self._shared.claims.claimants(key))

    def _look_again(self) -> None:
        """Look at everything again after a while that grows."""
        self._read_failures += 1
        self._everything = True
        self._alarm.after(READ_AGAIN.wait(self._read_failures))

    async def _reconcile(self, app: Object, group: asyncio.TaskGroup) -> None:
        self._conditions = {}
        self._pruning = Pruning()
        try:
            policy = policy_of(app, self._shared.retention)
        except PolicyError as error:
            self._deny("InvalidPolicy", str(error), None)
            await self._write()
            return
        self._depends_on = frozenset(policy.depends_on)
        request = requests.sync_request(app, self._standing.sync.at)
        if policy.suspended(self._shared.clock.now()):
            await self._suspended(app, policy, request)
            return
        usable = await self._read(app, group, request)
        await self._answer_rollback(app)
        if not usable and self._standing.pin is None:
            await self._write()
            return
        if request is not None and usable:
            self._standing.pin = None
        reading = await self._wanted()
        if reading is None:
            await self._write()
            return
        self._take(reading)
        await self._decide(app, policy, request)

    async def _suspended(self, app: Object, policy: Policy, request: SyncRequest | None) -> None:
        told = f"{self._name} is suspended: `reconciler resume {self._name}` lets it sync again"
        if request is not None:
            self._standing.sync = Answer(request.at, accepted=False, message=told)
        back = requests.rollback_request(app, self._standing.rollback.at)
        if back is not None:
            self._standing.rollback = Answer(back.at, accepted=False, message=told)
        until = rfc3339(policy.resume_at) if policy.resume_at is not None else ""
        await self._report.suspended(app, self._standing, until)
        self._alarm.at(policy.resume_at)

    def _deny(self, condition: str, message: str, request: SyncRequest | None) -> None:
        """Remember why nothing can be done; nothing is touched."""
        self._conditions[condition] = message
        if request is not None:
            self._standing.sync = Answer(request.at, accepted=False, message=message)
        reading = condition in ("SourceError", "RenderError")
        self._sync_status = UNKNOWN if reading else OUT_OF_SYNC
        self._teller.once(OutcomeKind.INVALID, (condition, message), "Warning", condition, message)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(
        self, app: Object, group: asyncio.TaskGroup, request: SyncRequest | None
    ) -> bool:
        """Read the source; returns whether it can be used."""
        try:
            source = await self._reader.read(
                app, group, afresh=self._everything, asked=request is not None
            )
        except Invalid as invalid:
            self._deny(invalid.kind, str(invalid), request)
            self._look_again()
            return False
        self._read_failures = 0
        if source.stale:
            # What cannot be read anew does not keep us from holding to what was read last.
            self._conditions["SourceError"] = source.stale
            self._teller.once(
                OutcomeKind.INVALID, source.stale, "Warning", "SourceError", source.stale
            )
        pin, self._source = self._standing.pin, source
        if pin is not None and pin.source != source.revision:
            self._standing.pin = None
        return True

    async def _answer_rollback(self, app: Object) -> None:
        request = requests.rollback_request(app, self._standing.rollback.at)
        if request is None:
            return
        records = await self._recording.records(self._uid)
        pin = self._standing.pin
        current = pin.set if pin is not None else self._standing.operation.set
        try:
            found = rollback.asked_for(
                request, records, current, self._source.revision, self._shared.clock.now()
            )
        except rollback.CannotRollBack as error:
            self._standing.rollback = Answer(request.at, accepted=False, message=str(error))
            return
        self._standing.rollback = Answer(request.at, message=found.message)
        self._standing.rollback_failed = ""
        self._standing.pin = found

    async def _wanted(self) -> Reading | None:
        """Return what is wanted now: the source's, or a recorded set while that is rolled back to."""
        pin = self._standing.pin
        if pin is None:
            self._pinned = None
            return self._source
        if self._pinned is None or self._pinned[0] != pin.set:
            try:
                objects = await self._recording.objects(pin.set)
            except HistoryError as error:
                self._conditions["RollbackFailed"] = str(error)
                self._sync_status = OUT_OF_SYNC
                return None
            records = await self._recording.records(self._uid)
            record = next((r for r in records if r.id == pin.id), None)
            self._pinned = (pin.set, rollback.reading_of(pin, objects, record))
        return self._pinned[1]

    def _take(self, reading: Reading) -> None:
        """Go on with what is wanted now; what differs from before is looked at (decision 7)."""
        before, self._reading = self._reading, reading
        self._teller.about(self._app, reading, self._standing)
        if before is reading:
            return
        changed = {
            key for key, wanted in reading.wanted.items()
            if (old := before.wanted.get(key)) is None or old.digest != wanted.digest
        }  # fmt: skip
        self._comparer.moved(changed)
        if before.revision or reading.revision != self._standing.deployed:
            self._changed_manifests |= changed
        self._shared.claims.claim(self._name, reading.wanted.keys())

    # -- deciding ------------------------------------------------------------------------------------------------

    async def _decide(self, app: Object, policy: Policy, request: SyncRequest | None) -> None:
        standing, reading = self._standing, self._reading
        everything = self._everything or request is not None
        self._everything = False
        adopt = policy.adopt or (request is not None and request.adopt)
        changes = await self._comparer.compare(reading.wanted, everything=everything)
        owned = self._guards.owned(changes, reading, adopt=adopt)
        self._refuse(owned)
        self._pruning = self._guards.pruning(
            self._report.inventory, reading, policy, requests.confirmed_prune(app)
        )
        back = standing.pin is not None and not standing.pin.begun
        asked = request is not None or back
        new = standing.deployed != reading.revision
        drifted = self._drifted(owned.changes, new=new)
        if policy.self_heal is SelfHeal.WARN and not asked:
            left = {c.key for c in drifted} if new else set()
            owned = owned._replace(changes=[c for c in owned.changes if c.key not in left])
        prunes = self._guards.prunes(self._pruning)
        hooks = bool(reading.hooks) and (
            asked or (new and self._hooks.are_due(reading, standing.deployed))
        )
        found = self._plan(app, owned.changes, prunes, hooks=hooks, fresh=asked or new)
        if found.problems:
            told = "; ".join(f"{p.key}: {p.message}" for p in found.problems)
            self._deny("InvalidManifests", told, request)
            await self._write()
            return
        if request is not None and request.approved:
            now = approval.approval(found, reading.revision, self._shared.mask)
            if not hmac.compare_digest(now, request.approved):
                standing.sync = Answer(request.at, accepted=False, message=STALE)
                await self._conclude(policy)
                return
        if not self._source.stale:
            self._teller.forget(OutcomeKind.INVALID)
        if self._spec_changed and standing.operation.has_failed(reading.revision):
            # A changed Application is tried anew, as a changed revision is.
            standing.operation = standing.operation._replace(phase=INTERRUPTED)
        differs = hooks or not found.is_empty
        facts = self._facts(policy, request, drifted, new=new, prunes=bool(prunes), back=back)
        permitted = permission(policy, facts) if differs or drifted else Permission(allowed=False)
        if request is not None:
            refused = differs and not permitted.allowed
            standing.sync = Answer(request.at, not refused, permitted.message if refused else "")
        self._teller.drift(drifted, warn=policy.self_heal is SelfHeal.WARN)
        if differs and permitted.allowed:
            await self._sync(policy, found, request, new=new, back=back)
        else:
            self._hold(permitted, differs=differs or bool(drifted))
        await self._conclude(policy)

    async def preview(self) -> Preview:
        """Return what a sync that somebody asks for now would do; nothing is touched."""
        reading, app = self._reading, self._app
        if not reading.revision:
            return Preview(reading, Plan(), ())
        policy = policy_of(app, self._shared.retention)
        changes = await self._comparer.look(reading.wanted)
        known = {c.key for c in changes}
        changes += (
            Change("unchanged", k, w.object) for k, w in reading.wanted.items() if k not in known
        )
        owned = self._guards.owned(changes, reading, adopt=policy.adopt)
        pruning = self._guards.pruning(
            self._report.inventory, reading, policy, requests.confirmed_prune(app)
        )
        hooks = self._hooks.are_due(reading, self._standing.deployed)
        prunes = self._guards.prunes(pruning)
        found = self._plan(app, owned.changes, prunes, hooks=hooks, fresh=True)
        refused = ((r.key, r.message) for r in owned.refusals)
        return Preview(reading, found, (*refused, *((h.key, h.reason) for h in pruning.held)))

    def _drifted(self, changes: list[Change], *, new: bool) -> list[Change]:
        """Return what differs though its manifest is the one that was synced last."""
        differing = [c for c in changes if c.action != "unchanged"]
        if not new:
            return differing
        return [c for c in differing if c.key not in self._changed_manifests]

    def _refuse(self, owned: Owned) -> None:
        self._refused = frozenset(r.key for r in owned.refusals) | owned.ignored
        for kind in dict.fromkeys(r.condition for r in owned.refusals):
            told = [r.message for r in owned.refusals if r.condition == kind]
            more = f"\n… and {len(told) - 5} more" if len(told) > 5 else ""
            self._conditions[kind] = "\n".join(told[:5]) + more
            self._teller.event_once(kind, self._conditions[kind])

    def _plan(
        self, app: Object, changes: list[Change], prunes: list[Change], *, hooks: bool, fresh: bool
    ) -> Plan:
        """Order what differs; with a new revision, also its hooks and what later waves wait for.

        What only drifted is put back at once and by itself.
        """
        if fresh and (hooks or prunes or any(c.action != "unchanged" for c in changes)):
            waits = bool(hooks or prunes) or any(w.ordered for w in self._reading.wanted.values())
            # Where nothing waits for more than what it uses to be applied, what is unchanged need not be looked at.
            known = {c.key for c in changes} | self._refused
            rest = (
                Change("unchanged", k, w.object)
                for k, w in self._reading.wanted.items()
                if waits and k not in known
            )
            changes = [*changes, *rest, *self._hooks.changes(self._reading, app)]
        return plan([*changes, *prunes])

    def _facts(
        self,
        policy: Policy,
        request: SyncRequest | None,
        drifted: list[Change],
        *,
        new: bool,
        prunes: bool,
        back: bool,
    ) -> Facts:
        operation = self._standing.operation
        failed = operation.has_failed(self._reading.revision)
        find = self._shared.cache.snapshot.get
        circle: tuple[str, ...] = ()
        unready: tuple[str, ...] = ()
        if policy.depends_on and not back:
            apps = self._shared.cache.snapshot.list(kinds.APPLICATION)
            circle = dependencies.find_circle(self._name, dependencies.edges(apps))
            unready = dependencies.unready(
                policy.depends_on, lambda name: find(kinds.APPLICATION, "", name)
            )
        return Facts(
            self._shared.clock.now(), new_revision=new, prunes=prunes,
            drift=tuple(f"{c.key}: {c.cause}" for c in drifted),
            requested=request is not None or back,
            override=back or (request is not None and request.override),
            circle=circle, unready=unready,
            failure=Failure(operation.revision, operation.tries, operation.ended, operation.passing)
            if failed else None,
            deadline=operation.deadline, failed=operation.message,
        )  # fmt: skip

    async def _sync(
        self, policy: Policy, found: Plan, request: SyncRequest | None, *, new: bool, back: bool
    ) -> None:
        pin = self._standing.pin
        trigger, by = Trigger.DRIFT, ""
        if request is not None:
            trigger, by = Trigger.USER, request.by
        elif back and pin is not None:
            trigger = Trigger.AUTOMATIC_ROLLBACK if pin.automatic else Trigger.ROLLBACK
            by = pin.by
        elif new:
            told = Trigger.WEBHOOK if self._source.hinted else Trigger.SOURCE
            trigger = Trigger.SPEC if self._spec_changed else told
        if trigger in (Trigger.USER, Trigger.WEBHOOK, Trigger.SOURCE, Trigger.SPEC):
            self._standing.rollback_failed = ""
        self._sync_status = OUT_OF_SYNC
        await self._reader.begin_sync()
        try:
            synced = await self._operations.sync(
                self._standing, found, self._reading, policy, trigger, by, self._uid
            )
        finally:
            self._reader.end_sync()
        if synced.interrupted:
            self._wake.set()
            return
        self._spec_changed = False
        if pin is not None:
            self._standing.pin = pin._replace(begun=True)
        if synced.failed:
            self._conditions["SyncFailed"] = self._standing.operation.message
            self._wake.set()
            return
        self._hooks.ran(self._reading)
        self._changed_manifests.clear()
        if back and pin is not None:
            self._teller.tell(OutcomeKind.ROLLED_BACK, "Warning", "RolledBack", pin.message)
        done = {r.change.key for r in synced.results}
        self._comparer.settled(done)
        self._pruning = self._guards.pruning(
            [k for k in self._report.inventory if k not in done], self._reading, policy, ""
        )

    def _hold(self, permitted: Permission, *, differs: bool) -> None:
        """Nothing is synced now: say why, where that is worth saying, and when to ask again."""
        operation, revision = self._standing.operation, self._reading.revision
        if permitted.condition:
            self._conditions[permitted.condition] = permitted.message
            if permitted.condition != "SyncFailed":
                self._teller.event_once(permitted.condition, permitted.message)
        self._alarm.at(permitted.ask_at)
        if permitted.condition == "DependencyCycle":
            # Whoever breaks the circle may be none of those that we name.
            self._alarm.after(CIRCLE_SECONDS)
        if not differs:
            self._standing.deployed = revision
            self._changed_manifests.clear()
            self._operations.came_right(self._standing, revision)
        elif operation.has_failed(revision):
            self._conditions.setdefault("SyncFailed", operation.message)

    # -- reporting -----------------------------------------------------------------------------------------------

    async def _conclude(self, policy: Policy) -> None:
        """Judge what the sync came to, go back where that is asked for, and write the status."""
        standing = self._standing
        held = [h for h in self._pruning.held if h.confirmable]
        if held or (self._pruning.held and not self._reading.wanted):
            message = held_message(self._pruning, self._name)
            self._conditions["PruneHeld"] = message
            self._teller.once(OutcomeKind.HELD, self._pruning.held, "Warning", "PruneHeld", message)
        assessment = self._report.assess(self._states(), self._comparer.differing)
        failed = await self._operations.verify(
            standing, self._reading, policy, assessment.healths, self._uid
        )
        self._alarm.at(self._operations.look_at(standing))
        if failed and policy.rollback_on_failure and not standing.rollback_failed:
            await self._go_back(failed)
        if standing.operation.health == "Degraded" and not self._conditions.get("SyncFailed"):
            self._conditions["NotHealthy"] = standing.operation.message
        if standing.rollback_failed:
            self._conditions["RollbackFailed"] = standing.rollback_failed
        if standing.pin is not None:
            self._conditions["RolledBack"] = standing.pin.message
        synced = not (
            self._comparer.differing - self._refused or held or standing.pin or "SyncFailed" in self._conditions
            or {"SharedResource", "AdoptionRefused", "DependencyCycle"} & self._conditions.keys()
        )  # fmt: skip
        synced = synced and standing.deployed == self._reading.revision
        reading = {"SourceError", "RenderError"} & self._conditions.keys()
        self._sync_status = UNKNOWN if reading else SYNCED if synced else OUT_OF_SYNC
        now = assessment.worst.status
        if now in ("Healthy", "Degraded") and now != standing.health:
            standing.health = now
            told = OutcomeKind.HEALTHY if now == "Healthy" else OutcomeKind.DEGRADED
            self._teller.tell(told, "", "", assessment.message or f"{self._name} is healthy")
        await self._write()

    async def _go_back(self, reason: str) -> None:
        standing = self._standing
        records = await self._recording.records(self._uid)
        try:
            standing.pin = rollback.automatic(
                standing, records, self._source.revision, reason, self._shared.clock.now()
            )
        except rollback.CannotRollBack as error:
            standing.rollback_failed = str(error)
            self._teller.event_once("RollbackFailed", str(error))
        else:
            self._wake.set()

    async def _write(self) -> None:
        assessment = self._report.assess(self._states(), self._comparer.differing)
        await self._report.write(
            self._app, assessment, self._standing, sync=self._sync_status,
            revision=self._reading.revision, conditions=self._conditions, pruning=self._pruning,
        )  # fmt: skip

    def _states(self) -> list[tuple[Key, Wanted | None, Object | None]]:
        """Return every object of the inventory with its live state, for the report."""
        rows: list[tuple[Key, Wanted | None, Object | None]] = []
        for key, wanted in self._reading.wanted.items():
            mine = None if key in self._refused else wanted
            rows.append((key, mine, self._guards.live(key) or self._comparer.seen(key)))
        for key in self._report.inventory:
            if key not in self._reading.wanted:
                live = self._guards.live(key)
                if self._guards.is_mine(live):
                    rows.append((key, None, live))
        return rows
