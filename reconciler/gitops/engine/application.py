"""The loop of one Application: read, compare, decide, sync, report. What each of them does has a module of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api import kinds
from reconciler.api.decision import Notice
from reconciler.api.objects import Key, Object, annotations_of, is_deleting
from reconciler.errors import ReconcilerError
from reconciler.gitops.engine import desired
from reconciler.gitops.engine.comparing import Comparer
from reconciler.gitops.engine.deletion import delete_all
from reconciler.gitops.engine.hook_runs import HookRuns
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind
from reconciler.gitops.engine.reading import Invalid, Reader, Reading
from reconciler.gitops.engine.report import Report
from reconciler.gitops.engine.syncing import Syncer
from reconciler.gitops.plan import Change, Plan, may_prune, plan

if TYPE_CHECKING:
    from reconciler.gitops.engine.shared import Shared

log = structlog.get_logger(__name__)

#: A sync ends after this, in seconds, where the Application does not say.
TIMEOUT_SECONDS = 300.0
#: Changes of objects come in bursts: one look for all of them, in seconds.
SETTLE_SECONDS = 0.1
#: A failed sync, or a source that cannot be read, is tried again after this, doubling, in seconds.
FIRST_RETRY = 2.0
LONGEST_RETRY = 120.0

SYNC_REQUESTED = "reconciler.dev/sync-requested-at"


class ApplicationLoop:
    """Keeps one Application."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._wake = asyncio.Event()
        self._wake.set()
        self._reader = Reader(shared, name, self._wake.set)
        self._reading = Reading()
        self._comparer = Comparer(shared, name)
        self._syncer = Syncer(shared, name, self._comparer, self._reader.moved, self._write_waiting)
        self._report = Report(shared.clock, shared.client, name)
        self._hooks = HookRuns()
        self._app: Object = {}
        self._look_at_all = True
        self._handled_request: str | None = None
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None

    # -- hints ---------------------------------------------------------------------------------------------------

    def application_changed(self, old: Object | None, new: Object | None) -> None:
        """Wake when the Application itself asks for something (its status is ours)."""
        if old is None or new is None or _asks(old) != _asks(new):
            self._look_at_all = (
                self._look_at_all
                or old is None
                or new is None
                or (old.get("spec") != new.get("spec"))
            )
            self._wake.set()

    def object_changed(self, key: Key) -> None:
        """An object that carries our mark changed: look at it again."""
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
            if self._timer is not None:
                self._timer.cancel()

    async def _turn(self, group: asyncio.TaskGroup) -> bool:
        """Look and act once; returns whether the Application is gone."""
        self._wake.clear()
        app = self._shared.cache.snapshot.get(kinds.APPLICATION, "", self._name)
        if app is None:
            return True
        self._app = app
        try:
            if is_deleting(app):
                return await delete_all(self._shared.client, self._shared.cache, app)
            await self._reconcile(app, group)
        except ReconcilerError as error:
            log.warning("sync failed", application=self._name, error=str(error))
            self._retry()
        except Exception:
            # One Application's trouble must not end the others' loops.
            log.exception("application loop failed", application=self._name)
            self._retry()
        return False

    def _retry(self) -> None:
        seconds = min(FIRST_RETRY * 2.0 ** min(self._failures, 10), LONGEST_RETRY)
        self._failures += 1
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        self._look_at_all = True
        self._wake.set()

    async def _reconcile(self, app: Object, group: asyncio.TaskGroup) -> None:
        spec = app.get("spec") or {}
        if spec.get("suspend"):
            await self._report.suspended(app)
            return
        requested = annotations_of(app).get(SYNC_REQUESTED)
        asked = requested is not None and requested != self._handled_request
        try:
            reading = await self._reader.read(app, group, afresh=self._look_at_all, asked=asked)
        except Invalid as invalid:
            self._report.set_error(invalid.kind, str(invalid))
            await self._write(synced=False)
            self._tell(OutcomeKind.INVALID, "Warning", invalid.kind, str(invalid))
            self._retry()
            return
        before, self._reading = self._reading, reading
        # What differs from the last revision is looked at; of the rest, changes of live objects tell (decision 7).
        wanted = reading.wanted
        if before is not reading:
            self._comparer.moved(k for k, w in wanted.items() if before.wanted.get(k) is not w)
        if reading.stale and reading.stale != before.stale:
            self._tell(OutcomeKind.INVALID, "Warning", "SourceError", reading.stale)
        automated = (spec.get("syncPolicy") or {}).get("automated")
        self._handled_request = requested
        everything, self._look_at_all = self._look_at_all or asked, False
        changes = await self._comparer.compare(wanted, everything=everything)
        fresh = asked or self._report.synced_revision(app) != reading.revision
        hooks_due = fresh and (asked or self._hooks.are_due(reading, self._report, app))
        prunes = self._prunes(app)
        if fresh and (hooks_due or prunes or any(c.action != "unchanged" for c in changes)):
            changes += self._context(app, changes)
        found = plan([*changes, *prunes])
        if found.problems:
            told = "; ".join(f"{p.key}: {p.message}" for p in found.problems)
            self._report.set_error("InvalidManifests", told)
            await self._write(synced=False)
            return
        # What cannot be read anew does not keep us from holding to what was read last.
        self._report.set_error("SourceError" if reading.stale else "", reading.stale)
        if (hooks_due or not found.is_empty) and (asked or self._may_sync(automated, found)):
            await self._sync(app, found)
        else:
            await self._write(synced=found.is_synced)
            if found.is_synced:
                self._failures = 0

    def _context(self, app: Object, changes: list[Change]) -> list[Change]:
        """Return what a sync of a new revision has besides what differs: hooks, and what later waves wait for.

        What only drifted is put back at once and by itself.
        """
        known = {c.key for c in changes}
        rest = ((k, w.object) for k, w in self._reading.wanted.items() if k not in known)
        return [
            *(Change("unchanged", k, o) for k, o in rest),
            *self._hooks.changes(self._reading, app),
        ]

    def _may_sync(self, automated: Any, found: Plan) -> bool:
        """Whether the policy lets us act: a new revision always, drift only with selfHeal."""
        if automated is None:
            return False
        if self._report.revision != self._reading.revision:
            return True
        return bool(automated.get("selfHeal")) or any(c.action == "prune" for c in found.changes)

    def _prunes(self, app: Object) -> list[Change]:
        """Return what the inventory holds and nobody wants; never for an empty render."""
        automated = ((app.get("spec") or {}).get("syncPolicy") or {}).get("automated") or {}
        wanted = self._reading.wanted
        if not wanted or not automated.get("prune"):
            return []
        changes = []
        for key in self._report.inventory(app):
            kind = kinds.lookup(key.group, key.kind)
            if key in wanted or kind is None:
                continue
            live = self._shared.cache.snapshot.get(kind, key.namespace, key.name)
            mine = live is not None and (
                annotations_of(live).get(desired.APPLICATION_ANNOTATION) == self._name
            )
            if live is not None and mine and not is_deleting(live) and may_prune(live):
                changes.append(Change("prune", key, None, cause="no manifest asks for it"))
        return changes

    async def _sync(self, app: Object, found: Plan) -> None:
        clock, revision = self._shared.clock, self._reading.revision
        started, begun = clock.now(), clock.monotonic()
        limit = _seconds(((app["spec"].get("syncPolicy") or {}).get("timeout")), TIMEOUT_SECONDS)
        self._tell(OutcomeKind.STARTED, "", "", f"syncing to {revision}")
        synced = await self._syncer.sync(found, self._reading.wanted, begun + limit)
        seconds = clock.monotonic() - begun
        if synced.failed:
            self._report.set_error("SyncFailed", synced.message)
            self._tell(OutcomeKind.FAILED, "Warning", "SyncFailed", synced.message, seconds)
            self._retry()
        else:
            self._failures = 0
            told = f"{synced.message} at {revision}"
            self._tell(OutcomeKind.SUCCEEDED, "Normal", "Synced", told, seconds)
        failed = bool(synced.failed)
        if not failed:
            self._hooks.ran(self._reading)
        self._report.finish(
            revision, started, "failed" if failed else synced.message, failed=failed
        )
        await self._write(synced=not failed)

    # -- telling -------------------------------------------------------------------------------------------------

    async def _write_waiting(self) -> None:
        await self._write(synced=False)

    async def _write(self, *, synced: bool) -> None:
        await self._report.write(self._app, self._states(), self._reading.revision, synced=synced)

    def _states(self) -> list[tuple[Key, desired.Wanted | None, Object | None]]:
        """Return every object of the inventory with its live state, for the report."""
        cache = self._shared.cache
        rows: list[tuple[Key, desired.Wanted | None, Object | None]] = []
        for key, wanted in self._reading.wanted.items():
            live = None
            if cache.follows(wanted.kind):
                live = cache.snapshot.get(wanted.kind, key.namespace, key.name)
            rows.append((key, wanted, live))
        for key in self._report.inventory(self._app):
            kind = kinds.lookup(key.group, key.kind)
            if key not in self._reading.wanted and kind is not None:
                live = cache.snapshot.get(kind, key.namespace, key.name)
                if live is not None and (
                    annotations_of(live).get(desired.APPLICATION_ANNOTATION) == self._name
                ):
                    rows.append((key, None, live))
        return rows

    def _tell(
        self,
        kind: OutcomeKind,
        severity: str,
        reason: str,
        message: str,
        seconds: float | None = None,
    ) -> None:
        """Tell observers, and whoever reads Events where there is a reason."""
        reading = self._reading
        outcome = Outcome(
            kind, self._app, reading.revision, message, self._shared.clock.now(),
            reading.author, reading.message, seconds=seconds,
        )  # fmt: skip
        self._shared.outcomes.tell(outcome)
        if reason:
            self._shared.recorder.record(Notice(self._app, severity, reason, message))


def _asks(app: Object) -> tuple[Any, ...]:
    meta = app["metadata"]
    return (
        meta.get("generation"), meta.get("deletionTimestamp"), app.get("spec"),
        annotations_of(app).get(SYNC_REQUESTED),
    )  # fmt: skip


def _seconds(text: Any, default: float) -> float:
    """Read a duration such as ``5m``; what cannot be read is the default (the schema has checked it)."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    if isinstance(text, str) and text[-1:] in units and text[:-1].isdigit():
        return float(text[:-1]) * units[text[-1]]
    return default
