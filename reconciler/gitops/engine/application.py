"""The loop of one Application: read, compare, decide, sync, report. What each of them does has a module of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from reconciler.api import kinds, requests
from reconciler.api.objects import is_deleting, uid_of
from reconciler.clock import rfc3339
from reconciler.errors import ReconcilerError
from reconciler.gitops.engine.alarm import Alarm
from reconciler.gitops.engine.comparing import Comparer
from reconciler.gitops.engine.concluding import Conclusion
from reconciler.gitops.engine.deciding import Decider
from reconciler.gitops.engine.deletion import delete_all, stands
from reconciler.gitops.engine.guards import Guards
from reconciler.gitops.engine.operations import Operations
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.engine.parts import Parts
from reconciler.gitops.engine.pins import Pins
from reconciler.gitops.engine.planning import Planner
from reconciler.gitops.engine.policy import Policy, PolicyError, policy_of
from reconciler.gitops.engine.policy.retrying import Retry
from reconciler.gitops.engine.reading import Invalid, Outdated, Reader
from reconciler.gitops.engine.recording import Recording
from reconciler.gitops.engine.report import Report
from reconciler.gitops.engine.standing import Answer, Standing
from reconciler.gitops.engine.state import State
from reconciler.gitops.engine.syncing import Syncer
from reconciler.gitops.engine.telling import Teller

if TYPE_CHECKING:
    from reconciler.api.objects import Key, Object
    from reconciler.api.requests import PlanRequest, SyncRequest
    from reconciler.gitops.engine.planning import Preview
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.shared import Shared

log = structlog.get_logger(__name__)

#: Changes of objects come in bursts: one look for all of them, in seconds.
SETTLE_SECONDS = 0.1
#: While a sync waits its status is written at most so often, in seconds.
PROGRESS_SECONDS = 0.5
#: A source that cannot be read or used is tried again after this, doubling, in seconds.
READ_AGAIN = Retry(limit=-1, first=2.0, factor=2.0, longest=120.0)


class ApplicationLoop:
    """Keeps one Application."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._wake = asyncio.Event()
        self._wake.set()
        self._interrupt = asyncio.Event()
        self._reader = Reader(shared, name, self._wake.set, self._interrupt)
        self._comparer = Comparer(shared, name)
        self._alarm = Alarm(shared.clock, self._wake.set)
        self._parts = Parts(
            shared, name, self._comparer, Guards(shared, name, shared.claims),
            Recording(shared, name), Report(shared.clock, shared.client, name), Teller(shared),
            self._alarm, self._wake.set,
        )  # fmt: skip
        self._planner = Planner(self._parts)
        self._conclusion = Conclusion(self._parts)
        syncer = Syncer(
            shared, name, self._comparer, self._interrupt, self._write, self._write_progress
        )
        operations = Operations(shared, self._parts.recording, syncer, self._parts.teller.tell)
        self._decider = Decider(
            self._parts, self._reader, self._planner, operations, self._conclusion
        )
        self._pins = Pins(self._parts)
        self._state = State()
        self._everything = True
        self._moved = False
        self._progress_at = 0.0
        self._read_failures = 0
        self._depends_on: frozenset[str] = frozenset()

    # -- hints ---------------------------------------------------------------------------------------------------

    def application_changed(self, old: Object | None, new: Object | None) -> None:
        """Wake when the Application itself asks for something (its status is ours)."""
        if old is None or new is None or requests.asks(old) != requests.asks(new):
            other = old is None or new is None or old.get("spec") != new.get("spec")
            self._everything = self._everything or other
            self._state.spec_changed = self._state.spec_changed or other
            if new is None or is_deleting(new) or _source_of(old) != _source_of(new):
                self._reader.outdated.set()
            self._interrupt.set()
            self._wake.set()

    def dependency_changed(self, name: str) -> None:
        """Another Application changed: wake when we wait for it."""
        if name in self._depends_on:
            self._wake.set()

    def object_changed(self, key: Key) -> None:
        """An object that carries our mark, or that we may have now, changed: look at it again."""
        self._comparer.moved((key,))
        self._moved = True
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
        await self._parts.recording.drop()

    async def _turn(self, group: asyncio.TaskGroup) -> bool:
        """Look and act once; returns whether the Application is gone."""
        self._wake.clear()
        self._interrupt.clear()
        self._reader.outdated.clear()
        self._alarm.clear()
        app = self._shared.cache.snapshot.get(kinds.APPLICATION, "", self._name)
        if app is None:
            return True
        state = self._state
        state.app = app
        if state.uid != uid_of(app):
            state.uid, state.standing = uid_of(app), Standing.of(app.get("status") or {})
            self._parts.report.load(app)
        self._parts.teller.about(app, state.reading, state.standing)
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
        except Outdated:
            self._wake.set()
        return False

    def _is_shared(self, key: Key) -> bool:
        """Whether another Application has use for an object of ours."""
        others = set(self._shared.claims.claimants(key)) - {self._name}
        return any(stands(self._shared.cache, name) for name in others)

    def _look_again(self) -> None:
        """Look at everything again after a while that grows."""
        self._read_failures += 1
        self._everything = True
        self._alarm.after(READ_AGAIN.wait(self._read_failures))

    async def _reconcile(self, app: Object, group: asyncio.TaskGroup) -> None:
        state = self._state
        state.begin()
        request = requests.sync_request(app, state.standing.sync.at)
        refresh = requests.refresh_request(app, state.standing.refresh.at)
        if refresh:
            state.standing.refresh = Answer(refresh)
        try:
            policy = policy_of(app, self._shared.retention)
        except PolicyError as error:
            self._conclusion.deny(state, "InvalidPolicy", str(error), request)
            await self._write()
            return
        self._depends_on = frozenset(policy.depends_on)
        if policy.suspended(self._shared.clock.now()):
            await self._suspended(app, policy, request)
            return
        usable = await self._read(app, group, request, refresh=bool(refresh))
        await self._pins.answer_rollback(state)
        if request is not None and (usable or request.revision):
            request = await self._unpin(request)
        elif not usable:
            request = None  # it is answered
        if not usable and state.standing.pin is None:
            await self._write()
            return
        reading = await self._pins.wanted(state)
        if reading is None:
            await self._write()
            return
        self._take(reading)
        everything, self._everything = self._everything, False
        await self._decider.decide(state, policy, request, everything=everything)

    async def _unpin(self, request: SyncRequest) -> SyncRequest | None:
        """End what is wanted in place of the source, or put in its place what a request names; None: that is refused."""
        state = self._state
        state.replaced, state.standing.pin = state.standing.pin, None
        if not request.revision:
            return request
        try:
            await self._pins.pin(state, request, self._reader)
        except Invalid as invalid:
            state.standing.pin = state.replaced
            state.standing.sync = Answer(
                request.at, accepted=False, message=str(invalid), invalid=True
            )
            return None
        return request

    async def preview(self, asked: PlanRequest) -> Preview:
        """Return what a sync that somebody asks for would do; nothing is touched. Raises ``Invalid``."""
        reading = self._state.reading
        if reading.revision and (asked.fresh or asked.revision):
            name = await self._pins.whole(self._state, asked.revision)
            reading = await self._reader.once(self._state.app, name)
        return await self._planner.preview(self._state, reading, asked)

    async def _write(self) -> None:
        await self._conclusion.write(self._state)

    async def _write_progress(self) -> None:
        """Write the status while a sync waits: it costs a look at every object, so only when one has moved."""
        now = self._shared.clock.monotonic()
        if self._moved and now >= self._progress_at:
            self._moved, self._progress_at = False, now + PROGRESS_SECONDS
            await self._write()

    async def _suspended(self, app: Object, policy: Policy, request: SyncRequest | None) -> None:
        # Nobody asks a server for what is not to be had; the last reading stays, and resuming reads anew.
        await self._reader.close()
        standing = self._state.standing
        told = f"{self._name} is suspended: `reconciler resume {self._name}` lets it sync again"
        if request is not None:
            standing.sync = Answer(request.at, accepted=False, message=told)
        back = requests.rollback_request(app, standing.rollback.at)
        if back is not None:
            standing.rollback = Answer(back.at, accepted=False, message=told)
        until = rfc3339(policy.resume_at) if policy.resume_at is not None else ""
        await self._parts.report.suspended(app, standing, until)
        self._alarm.at(policy.resume_at)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(
        self, app: Object, group: asyncio.TaskGroup, request: SyncRequest | None, *, refresh: bool
    ) -> bool:
        """Read the source; returns whether it can be used. ``refresh``: somebody asks for what it holds now."""
        try:
            source = await self._reader.read(
                app, group, afresh=self._everything, asked=refresh or request is not None
            )
        except Invalid as invalid:
            told = None if request is not None and request.revision else request
            self._conclusion.deny(self._state, invalid.kind, str(invalid), told)
            self._look_again()
            return False
        self._read_failures = 0
        if source.stale:
            # What cannot be read anew does not keep us from holding to what was read last.
            self._state.conditions["SourceError"] = source.stale
            self._parts.teller.once(
                OutcomeKind.INVALID, source.stale, "Warning", "SourceError", source.stale
            )
        state = self._state
        state.source = source
        await self._pins.follow(state)
        return True

    def _take(self, reading: Reading) -> None:
        """Go on with what is wanted now; what differs from before is looked at (decision 7)."""
        state = self._state
        before, state.reading = state.reading, reading
        self._parts.teller.about(state.app, reading, state.standing)
        if before is reading:
            return
        changed = {
            key for key, wanted in reading.wanted.items()
            if (old := before.wanted.get(key)) is None or old.digest != wanted.digest
        }  # fmt: skip
        self._comparer.moved(changed)
        if before.revision or reading.revision != state.standing.deployed:
            state.changed_manifests |= changed
        self._shared.claims.claim(self._name, reading.wanted.keys())


def _source_of(app: Object | None) -> object:
    return ((app or {}).get("spec") or {}).get("source")
