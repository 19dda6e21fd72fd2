"""From an Application's source to what it wants: read, render, validate. Nothing is touched here."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import Key, Object, annotations_of
from reconciler.errors import ConfigError, NotFound, ReconcilerError, RenderError, SourceError
from reconciler.gitops import ignores
from reconciler.gitops.engine import desired
from reconciler.gitops.generate import Builder, variables_of
from reconciler.gitops.generate.variables import references_of
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.validate import ValidateCache, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.generate.builder import Built
    from reconciler.gitops.render import Rendered
    from reconciler.gitops.source import Snapshot, Source

#: So many findings are told in a condition.
TOLD_FINDINGS = 5


class Invalid(ReconcilerError):
    """The desired state cannot be used; ``kind`` is the condition that says so."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Outdated(Exception):
    """The Application was deleted, or got another source, while this one was read."""


class Reading(NamedTuple):
    """What one revision of a source wants, and the hooks of its syncs. The same revision is the same Reading.

    ``stale`` says why nothing newer can be had, ``hinted`` that the origin told of it (as in ``Snapshot``). ``implied`` is
    the destination's Namespace where no manifest declares it.
    """

    revision: str = ""
    wanted: Mapping[Key, desired.Wanted] = {}
    hooks: Mapping[Key, desired.Wanted] = {}
    author: str = ""
    message: str = ""
    stale: str = ""
    implied: Key | None = None
    hinted: bool = False


class Reader:
    """Reads one Application's source.

    ``moved`` is set from when the source hints at a change until it is read. A hint is no revision yet: ``superseded`` is
    set during a sync (``begin_sync`` to ``end_sync``) when the source really holds another one. Whoever sets ``outdated``
    ends the wait for a source that is not wanted any more: a server may hang for a minute.
    """

    def __init__(
        self, shared: Shared, name: str, wake: Callable[[], None], superseded: asyncio.Event
    ) -> None:
        self._shared = shared
        self._name = name
        self._wake = wake
        self._superseded = superseded
        self._turn = asyncio.Lock()
        self._snapshot = ""
        self._syncing = False
        self._source: Source | None = None
        self._source_spec: Any = None
        self._watching: asyncio.Task[None] | None = None
        self._builder = Builder(identities=shared.identities, scratch=shared.scratch)
        self._validate_cache = ValidateCache()
        self._desired = desired.Desired(name)
        self._last = Reading()
        self._rendered: Rendered | None = None
        self.moved = asyncio.Event()
        self.outdated = asyncio.Event()
        #: The ConfigMaps and Secrets that its variables come from: a change of one is a change of the source.
        self.references: frozenset[Key] = frozenset()

    async def read(
        self, app: Object, group: asyncio.TaskGroup, *, afresh: bool, asked: bool = False
    ) -> Reading:
        """Return what the newest revision wants. ``afresh``: validate again even what is unchanged.

        ``asked``: somebody wants what the origin holds now, not what was found there last.

        Raises ``Invalid`` when it cannot be used, ``Outdated``.
        """
        spec = app["spec"].get("source")
        try:
            if self._source is None or spec != self._source_spec:
                await self.close()
                self._source, self._source_spec = self._shared.source_for(app), spec
                self._watching = group.create_task(
                    self._watch(self._source), name=f"source-{self._name}"
                )
            self.moved.clear()
            if asked:
                self._source.refresh()
            async with self._turn:
                snapshot = await self._unless_outdated(self._source)
            self._snapshot = snapshot.revision
        except SourceError as error:
            raise Invalid("SourceError", str(error)) from error
        namespace = _namespace(app)
        self.references = references_of(spec or {}, namespace)
        built = await self._built(app, snapshot, self._builder)
        rendered, revision = built.rendered, snapshot.revision + built.suffix
        if rendered is self._rendered and revision == self._last.revision and not afresh:
            if snapshot.stale != self._last.stale:
                self._last = self._last._replace(stale=snapshot.stale)
            return self._last
        self._rendered = None
        self._last = await self._shared.aside(
            lambda: self._reading(
                snapshot, rendered, revision, namespace, self._desired, self._validate_cache
            )
        )
        self._rendered = rendered
        return self._last

    async def _unless_outdated(self, source: Source) -> Snapshot:
        reading = asyncio.ensure_future(source.snapshot())
        outdated = asyncio.ensure_future(self.outdated.wait())
        try:
            await asyncio.wait([reading, outdated], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise Outdated
            return reading.result()
        finally:
            reading.cancel()
            outdated.cancel()
            await asyncio.gather(reading, outdated, return_exceptions=True)

    async def once(self, app: Object, revision: str = "") -> Reading:
        """Return what a revision of the source wants (empty: of what it holds now); what is followed stays.

        Raises ``Invalid``.
        """
        source = self._source
        if source is None or app["spec"].get("source") != self._source_spec:
            raise Invalid("SourceError", "the source has not been read yet")
        try:
            if revision:
                snapshot = await source.at(revision)
            else:
                source.refresh()
                async with self._turn:
                    snapshot = await source.snapshot()
                if snapshot.revision != self._snapshot:
                    # The source has told us, and will not tell the loop again.
                    self.moved.set()
                    self._wake()
                    if self._syncing:
                        await self._look(source)
        except SourceError as error:
            raise Invalid("SourceError", str(error)) from error
        builder = Builder(identities=self._shared.identities, scratch=self._shared.scratch)
        built = await self._built(app, snapshot, builder)
        return await self._shared.aside(
            lambda: self._reading(
                snapshot, built.rendered, snapshot.revision + built.suffix, _namespace(app),
                desired.Desired(self._name), ValidateCache(),
            )
        )  # fmt: skip

    async def _built(self, app: Object, snapshot: Snapshot, builder: Builder) -> Built:
        """Render. Raises ``Invalid``."""
        spec, namespace = app["spec"].get("source") or {}, _namespace(app)
        try:
            return await builder.build(
                snapshot, spec, name=self._name, namespace=namespace,
                variables=await variables_of(spec, namespace, self._lookup),
            )  # fmt: skip
        except RenderError as error:
            raise Invalid("RenderError", str(error)) from error

    def _reading(
        self,
        snapshot: Snapshot,
        rendered: Rendered,
        revision: str,
        namespace: str,
        objects: desired.Desired,
        cache: ValidateCache,
    ) -> Reading:
        """Validate: the part that takes the processor. Raises ``Invalid``."""
        try:
            found = validate(
                rendered.documents, honoured=self._shared.honoured, default_namespace=namespace,
                exists=self._exists, cache=cache, checks=self._shared.checks,
            )  # fmt: skip
        except ConfigError as error:  # a schema of the configuration that cannot be used
            raise Invalid("InvalidManifests", str(error)) from error
        of_files = (f for f in map(self._shared.checks.apply, rendered.findings) if f is not None)
        findings = [*of_files, *found]
        texts = (
            (path, file.data.decode("utf-8-sig", "replace"))
            for path, file in snapshot.files.items()
            if ignores.MARK in file.data
        )
        findings, _ = ignores.apply(findings, texts)
        errors = [f for f in findings if f.severity == "error"]
        if errors:
            raise Invalid("InvalidManifests", _told(errors))
        wanted = objects.wanted(rendered.documents, namespace)
        unnamed = next((k for k in wanted if not k.name), None)
        if unnamed is not None:
            told = f"a {unnamed.kind} has a generateName and no name: give it a name, only hooks need none"
            raise Invalid("InvalidManifests", told)
        extra = desired.missing_namespace(wanted, namespace, self._name)
        implied = None
        if extra is not None and namespace != "default":
            implied = Key.of(extra.object)
            wanted = {implied: extra, **wanted}
        commit = snapshot.commit
        author, message = (commit.author, commit.message) if commit is not None else ("", "")
        hooks = {k: w for k, w in wanted.items() if hook_of(w.object) is not None}
        if hooks:
            wanted = {k: w for k, w in wanted.items() if k not in hooks}
        return Reading(
            revision, wanted, hooks, author, message, snapshot.stale, implied, snapshot.hinted
        )

    async def _lookup(self, kind: kinds.Kind, namespace: str, name: str) -> Object | None:
        if self._shared.cache.follows(kind):
            return self._shared.cache.snapshot.get(kind, namespace, name)
        try:
            return await self._shared.client.get(kind, name, namespace)
        except NotFound:
            return None

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

    async def _watch(self, source: Source) -> None:
        while True:
            await source.changed()
            self.moved.set()
            self._wake()
            if self._syncing:
                await self._look(source)

    async def begin_sync(self) -> None:
        """Tell through ``superseded`` when there is a new revision."""
        self._syncing = True
        if self.moved.is_set() and self._source is not None:
            await self._look(self._source)

    def end_sync(self) -> None:
        """Nothing is left to interrupt."""
        self._syncing = False

    async def _look(self, source: Source) -> None:
        # What cannot be read ends nothing that runs.
        with contextlib.suppress(SourceError):
            async with self._turn:
                moved = (await source.snapshot()).revision != self._snapshot
            if moved:
                self._superseded.set()

    async def close(self) -> None:
        """Let the source go."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._source is not None:
            await self._source.close()
        self._source = self._watching = None


def _namespace(app: Object) -> str:
    return str((app["spec"].get("destination") or {}).get("namespace") or "default")


def _told(findings: list[Finding]) -> str:
    told = [f.text() for f in findings[:TOLD_FINDINGS]]
    if len(findings) > TOLD_FINDINGS:
        told.append(f"… and {len(findings) - TOLD_FINDINGS} more")
    return "\n".join(told)
