"""The loop of one Application: read, render, validate, compare, plan, apply, prune, report."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from reconciler.api import kinds
from reconciler.api.decision import Notice
from reconciler.api.objects import Key, Object, annotations_of, is_deleting
from reconciler.errors import ApiError, NotFound, ReconcilerError, RenderError, SourceError
from reconciler.gitops import health as healths
from reconciler.gitops.apply import Result, apply
from reconciler.gitops.diff import diff
from reconciler.gitops.engine import desired
from reconciler.gitops.engine.deletion import delete_all
from reconciler.gitops.engine.report import Report
from reconciler.gitops.plan import Change, Plan, may_prune, plan
from reconciler.gitops.render import RenderCache, render
from reconciler.gitops.validate import ValidateCache, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.client import Client
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.source import Source

log = structlog.get_logger(__name__)

#: A sync ends after this, in seconds, where the Application does not say.
TIMEOUT_SECONDS = 300.0
#: Status is written at most so often, in seconds, while health goes back and forth.
REPORT_SECONDS = 0.1
#: A failed sync, or a source that cannot be read, is tried again after this, doubling, in seconds.
FIRST_RETRY = 2.0
LONGEST_RETRY = 120.0
#: So many findings are told in a condition.
TOLD_FINDINGS = 5

SYNC_REQUESTED = "reconciler.dev/sync-requested-at"


class Shared(NamedTuple):
    """What all loops share."""

    client: Client
    cache: InformerCache
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    honoured: frozenset[str] | None
    source_for: Callable[[Object], Source]
    mask: bytes


class Invalid(ReconcilerError):
    """The desired state cannot be used; ``kind`` is the condition that says so."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ApplicationLoop:
    """Keeps one Application."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._wake = asyncio.Event()
        self._wake.set()
        self._source: Source | None = None
        self._source_spec: Any = None
        self._watching: asyncio.Task[None] | None = None
        self._source_moved = asyncio.Event()
        self._render_cache = RenderCache()
        self._validate_cache = ValidateCache()
        self._desired = desired.Desired(name)
        self._revision = ""
        self._wanted: dict[Key, desired.Wanted] = {}
        self._verified: dict[Key, tuple[str, str]] = {}
        self._dirty: set[Key] = set()
        self._differing: set[Key] = set()
        self._look_at_all = True
        self._look_for_prunes = True
        self._handled_request: str | None = None
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._report = Report(shared.clock, shared.client, name)
        self._group: asyncio.TaskGroup | None = None

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
        self._dirty.add(key)
        self._wake.set()

    # -- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until the Application is gone."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while not await self._turn():
                    await self._wake.wait()
                    if not self._source_moved.is_set():
                        # Changes of objects come in bursts: one look for all of them.
                        await self._shared.clock.sleep(REPORT_SECONDS)
                await self._close_source()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _turn(self) -> bool:
        """Look and act once; returns whether the Application is gone."""
        self._wake.clear()
        app = self._shared.cache.snapshot.get(kinds.APPLICATION, "", self._name)
        if app is None:
            return True
        try:
            if is_deleting(app):
                return await delete_all(self._shared.client, self._shared.cache, app)
            await self._reconcile(app)
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

    async def _reconcile(self, app: Object) -> None:
        spec = app.get("spec") or {}
        if spec.get("suspend"):
            await self._report.suspended(app)
            return
        try:
            await self._read(app)
        except Invalid as invalid:
            self._report.set_error(invalid.kind, str(invalid))
            await self._report.write(app, self._states(app), self._revision, synced=False)
            self._event(app, "Warning", invalid.kind, str(invalid))
            self._retry()
            return
        automated = (spec.get("syncPolicy") or {}).get("automated")
        requested = annotations_of(app).get(SYNC_REQUESTED)
        asked = requested is not None and requested != self._handled_request
        self._handled_request = requested
        self._look_at_all = self._look_at_all or asked
        found = await self._compare(app)
        if found.cycle:
            names = " → ".join(str(k) for k in found.cycle)
            self._report.set_error(
                "InvalidManifests", f"depends-on goes round in a circle: {names}"
            )
            await self._report.write(app, self._states(app), self._revision, synced=False)
            return
        self._report.set_error("", "")
        if not found.is_empty and (asked or self._may_sync(automated, found)):
            await self._sync(app, found)
        else:
            synced = all(c.action == "unchanged" for s in found.steps for c in s.changes)
            await self._report.write(app, self._states(app), self._revision, synced=synced)
            if synced:
                self._failures = 0

    def _may_sync(self, automated: Any, found: Plan) -> bool:
        """Whether the policy lets us act: a new revision always, drift only with selfHeal."""
        if automated is None:
            return False
        if self._report.revision != self._revision:
            return True
        return bool(automated.get("selfHeal")) or any(c.action == "prune" for c in found.changes)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(self, app: Object) -> None:
        """Bring ``_wanted`` to the source's newest revision. Raises ``Invalid``; then the old one stays."""
        spec = app["spec"].get("source")
        try:
            if self._source is None or spec != self._source_spec:
                await self._close_source()
                self._source, self._source_spec = self._shared.source_for(app), spec
                self._watch_source(self._source)
            self._source_moved.clear()
            snapshot = await self._source.snapshot()
            values = desired.values_of(app)
        except SourceError as error:
            raise Invalid("SourceError", str(error)) from error
        revision = f"{snapshot.revision}" + (f"+{desired.digest_of(values)[:8]}" if values else "")
        if revision == self._revision and not self._look_at_all:
            return
        try:
            rendered = render(snapshot, values=values, cache=self._render_cache)
        except RenderError as error:
            raise Invalid("RenderError", str(error)) from error
        namespace = (app["spec"].get("destination") or {}).get("namespace") or "default"
        findings = [
            *rendered.findings,
            *validate(
                rendered.documents, honoured=self._shared.honoured,
                default_namespace=namespace, exists=self._exists,
            ),
        ]  # fmt: skip
        errors = [f for f in findings if f.severity == "error"]
        if errors:
            raise Invalid("InvalidManifests", _told(errors))
        wanted = self._desired.wanted(rendered.documents, namespace)
        extra = desired.missing_namespace(wanted, namespace, self._name)
        if extra is not None and namespace != "default":
            wanted = {Key.of(extra.object): extra, **wanted}
        before, self._wanted, self._revision = self._wanted, wanted, revision
        # What differs from the last revision is looked at; of the rest, changes of live objects tell (decision 7).
        self._dirty.update(k for k, w in wanted.items() if before.get(k) is not w)
        self._look_for_prunes = self._look_for_prunes or not before.keys() <= wanted.keys()

    def _exists(self, key: Key) -> bool:
        kind = kinds.lookup(key.group, key.kind)
        if kind is None or not self._shared.cache.follows(kind):
            return False
        found = self._shared.cache.snapshot.get(kind, key.namespace, key.name)
        # What we made ourselves does not count: it goes when nobody wants it any more.
        return (
            found is not None
            and annotations_of(found).get(desired.APPLICATION_ANNOTATION) != self._name
        )

    def _watch_source(self, source: Source) -> None:
        async def watch() -> None:
            while True:
                await source.changed()
                self._source_moved.set()
                self._wake.set()

        assert self._group is not None  # noqa: S101 - only called while running
        self._watching = self._group.create_task(watch(), name=f"source-{self._name}")

    async def _close_source(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._source is not None:
            await self._source.close()
        self._source = self._watching = None

    # -- comparing -----------------------------------------------------------------------------------------------

    async def _live(self, key: Key, kind: kinds.Kind) -> Object | None:
        if self._shared.cache.follows(kind):
            return self._shared.cache.snapshot.get(kind, key.namespace, key.name)
        try:
            return await self._shared.client.get(kind, key.name, key.namespace)
        except NotFound:
            return None

    async def _compare(self, app: Object) -> Plan:
        """Compare what is wanted with what is: everything after a new revision, else only what moved (decision 7)."""
        everything = self._look_at_all
        moved = self._wanted if everything else self._dirty | self._differing
        looked_at = [k for k in moved if k in self._wanted]
        prunes = everything or self._look_for_prunes
        self._dirty.clear()
        self._look_at_all = self._look_for_prunes = False
        changes = [await self._compare_one(key) for key in looked_at if not self._is_verified(key)]
        # What differs and is not put back now must still count as different the next time.
        self._differing = {c.key for c in changes if c.action != "unchanged"}
        if prunes:
            changes += self._prunes(app)
        return plan(changes)

    def _is_verified(self, key: Key) -> bool:
        """Whether an object was compared already, just as it is wanted and just as it is."""
        wanted = self._wanted[key]
        seen = self._verified.get(key)
        if seen is None or not self._shared.cache.follows(wanted.kind):
            return False
        live = self._shared.cache.snapshot.get(wanted.kind, key.namespace, key.name)
        return live is not None and seen == (wanted.digest, live["metadata"].get("resourceVersion"))

    async def _compare_one(self, key: Key) -> Change:
        wanted = self._wanted[key]
        live = await self._live(key, wanted.kind)
        if live is None:
            self._verified.pop(key, None)
            return Change("create", key, wanted.object, cause="it does not exist")
        version = str(live["metadata"].get("resourceVersion"))
        if self._verified.get(key) == (wanted.digest, version):
            return Change("unchanged", key, wanted.object)
        try:
            merged = await self._shared.client.apply(
                wanted.object,
                field_manager=desired.manager_of(self._name),
                force=True,
                dry_run=True,
            )
        except ApiError:
            # The apply itself will say what is wrong, in the report of the sync.
            return Change("update", key, wanted.object, cause="it cannot be compared")
        fields = diff(live, merged, mask=self._shared.mask)
        if not fields:
            self._verified[key] = (wanted.digest, version)
            return Change("unchanged", key, wanted.object)
        first = ", ".join(f.path for f in fields[:3])
        return Change("update", key, wanted.object, fields, f"{first} differs")

    def _prunes(self, app: Object) -> list[Change]:
        """Return what the inventory holds and nobody wants; never for an empty render."""
        automated = ((app.get("spec") or {}).get("syncPolicy") or {}).get("automated") or {}
        if not self._wanted or not automated.get("prune"):
            return []
        changes = []
        for key in self._report.inventory(app):
            kind = kinds.lookup(key.group, key.kind)
            if key in self._wanted or kind is None:
                continue
            live = self._shared.cache.snapshot.get(kind, key.namespace, key.name)
            mine = live is not None and (
                annotations_of(live).get(desired.APPLICATION_ANNOTATION) == self._name
            )
            if live is not None and mine and not is_deleting(live) and may_prune(live):
                changes.append(Change("prune", key, None, cause="no manifest asks for it"))
        return changes

    # -- syncing -------------------------------------------------------------------------------------------------

    async def _sync(self, app: Object, found: Plan) -> None:
        clock = self._shared.clock
        started = clock.now()
        limit = _seconds(((app["spec"].get("syncPolicy") or {}).get("timeout")), TIMEOUT_SECONDS)
        deadline = clock.monotonic() + limit
        self._report.begin(self._wanted)

        async def wait(keys: Iterable[Key]) -> dict[Key, str]:
            return await self._wait(app, list(keys), deadline)

        def applied(result: Result) -> None:
            if not result.error and result.object is not None:
                self._note_applied(result)

        results = await apply(
            found, self._shared.client, manager=desired.manager_of(self._name),
            wait=wait, applied=applied,
        )  # fmt: skip
        for result in results:
            if result.object is not None and result.change.key in self._wanted:
                kind = self._wanted[result.change.key].kind
                await self._shared.cache.reached(
                    kind, int(result.object["metadata"].get("resourceVersion") or 0)
                )
        failed = [r for r in results if r.error]
        counts = {
            a: sum(r.change.action == a and not r.error for r in results)
            for a in ("create", "update", "prune")
        }
        told = f"{counts['create']} created, {counts['update']} updated, {counts['prune']} pruned"
        if failed:
            message = "; ".join(f"{r.change.key}: {r.error}" for r in failed[:TOLD_FINDINGS])
            self._report.set_error("SyncFailed", message)
            self._event(app, "Warning", "SyncFailed", message)
            self._retry()
        else:
            self._failures = 0
            self._event(app, "Normal", "Synced", f"{told} at {self._revision}")
        self._report.finish(
            self._revision, started, "failed" if failed else told, failed=bool(failed)
        )
        await self._report.write(app, self._states(app), self._revision, synced=not failed)

    def _note_applied(self, result: Result) -> None:
        key = result.change.key
        assert result.object is not None  # noqa: S101 - the caller looked
        version = str(result.object["metadata"].get("resourceVersion"))
        self._verified[key] = (self._wanted[key].digest, version)

    async def _wait(self, app: Object, keys: list[Key], deadline: float) -> dict[Key, str]:
        """Wait until objects are reconciled, the deadline passes, or the source moves on."""
        clock = self._shared.clock
        while True:
            late: dict[Key, str] = {}
            for key in keys:
                kind = (
                    self._wanted[key].kind
                    if key in self._wanted
                    else kinds.lookup(key.group, key.kind)
                )
                state = healths.reconciled(await self._live(key, kind) if kind else None)
                if state.status != "Current":
                    late[key] = state.message or state.status
            if not late or clock.monotonic() >= deadline or self._source_moved.is_set():
                return late
            await self._report.write(app, self._states(app), self._revision, synced=False)
            await clock.sleep(REPORT_SECONDS)

    def _states(self, app: Object) -> list[tuple[Key, desired.Wanted | None, Object | None]]:
        """Return every object of the inventory with its live state, for the report."""
        rows: list[tuple[Key, desired.Wanted | None, Object | None]] = []
        for key, wanted in self._wanted.items():
            live = None
            if self._shared.cache.follows(wanted.kind):
                live = self._shared.cache.snapshot.get(wanted.kind, key.namespace, key.name)
            rows.append((key, wanted, live))
        for key in self._report.inventory(app):
            kind = kinds.lookup(key.group, key.kind)
            if key not in self._wanted and kind is not None:
                live = self._shared.cache.snapshot.get(kind, key.namespace, key.name)
                if live is not None and (
                    annotations_of(live).get(desired.APPLICATION_ANNOTATION) == self._name
                ):
                    rows.append((key, None, live))
        return rows

    def _event(self, app: Object, kind: str, reason: str, message: str) -> None:
        self._shared.recorder.record(Notice(app, kind, reason, message))


def _asks(app: Object) -> tuple[Any, ...]:
    meta = app["metadata"]
    return (
        meta.get("generation"), meta.get("deletionTimestamp"), app.get("spec"),
        annotations_of(app).get(SYNC_REQUESTED),
    )  # fmt: skip


def _told(findings: list[Finding]) -> str:
    told = [f.text() for f in findings[:TOLD_FINDINGS]]
    if len(findings) > TOLD_FINDINGS:
        told.append(f"… and {len(findings) - TOLD_FINDINGS} more")
    return "\n".join(told)


def _seconds(text: Any, default: float) -> float:
    """Read a duration such as ``5m``; what cannot be read is the default (the schema has checked it)."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    if isinstance(text, str) and text[-1:] in units and text[:-1].isdigit():
        return float(text[:-1]) * units[text[-1]]
    return default
