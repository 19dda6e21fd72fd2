"""One loop an Application: started when it appears, ended when it is gone."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api import kinds
from reconciler.api.objects import Key, Object, annotations_of, name_of
from reconciler.api.requests import PlanRequest
from reconciler.errors import Invalid, NotFound, Unavailable
from reconciler.gitops.engine.application import ApplicationLoop
from reconciler.gitops.engine.claims import Claims
from reconciler.gitops.engine.desired import APPLICATION_ANNOTATION
from reconciler.gitops.engine.outcomes import Outcome, Outcomes
from reconciler.gitops.engine.policy.settings import Retention
from reconciler.gitops.engine.reading import Invalid as UnusableError
from reconciler.gitops.engine.shared import Aside, Shared, Tail, at_once, no_log
from reconciler.gitops.history import MemoryHistory
from reconciler.gitops.plan import approval
from reconciler.gitops.validate import Checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from reconciler.api.client import Client
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.gitops.history import History
    from reconciler.gitops.render.sops import Identities
    from reconciler.gitops.source import Source

log = structlog.get_logger(__name__)

#: Kinds that the engine's cache must follow: everything that an Application may own.
KINDS = kinds.KINDS


class Engine:
    """Keeps every Application as its source says."""

    def __init__(
        self,
        client: Client,
        cache: InformerCache,
        *,
        clock: Clock,
        entropy: Entropy,
        recorder: Recorder,
        source_for: Callable[[Object], Source],
        honoured: frozenset[str] | None = None,
        observers: Iterable[Callable[[Outcome], None]] = (),
        identities: Identities | None = None,
        scratch: Path | None = None,
        history: History | None = None,
        retention: Retention = Retention(),  # noqa: B008 - immutable
        aside: Aside = at_once,
        tail: Tail = no_log,
        mask: bytes = b"",
        checks: Checks = Checks(),  # noqa: B008 - immutable
    ) -> None:
        """``history`` keeps what syncs did (None: in memory), ``retention`` how much of it where an Application does not say.

        ``aside`` runs what takes long; ``tail`` reads the last lines of a container's log, for who is to blame.
        Values of Secrets are hidden, and plans approved, under the key ``mask`` (empty: one of this process).
        """
        self._cache = cache
        self._shared = Shared(
            client, cache, clock, entropy, recorder, honoured, source_for,
            mask or secrets.token_bytes(16), Outcomes(observers), history or MemoryHistory(), retention,
            Claims(self._released), aside, tail, checks, identities, scratch,
        )  # fmt: skip
        self._loops: dict[str, ApplicationLoop] = {}
        self._group: asyncio.TaskGroup | None = None
        cache.subscribe(kinds.APPLICATION, self._application_changed)
        for kind in KINDS:
            if kind is not kinds.APPLICATION and kind is not kinds.EVENT:
                cache.subscribe(kind, self._object_changed)

    async def run(self) -> None:
        """Follow Applications until cancelled."""
        await self._cache.synced()
        async with asyncio.TaskGroup() as group:
            self._group = group
            for app in self._cache.snapshot.list(kinds.APPLICATION):
                self._application_changed(None, app)
            await asyncio.Event().wait()

    async def plan(
        self,
        name: str,
        asked: PlanRequest = PlanRequest(),  # noqa: B008 - immutable
    ) -> dict[str, Any]:
        """Return what a sync of an Application would do now, as ``plan.approval`` tells it; nothing is touched.

        Raises ``NotFound``, ``Unavailable`` while its source has not been read, ``Invalid`` where what is asked for
        cannot be read or used.
        """
        loop = self._loops.get(name)
        if loop is None:
            raise NotFound(f"there is no Application {name!r}")
        try:
            reading, found, held = await loop.preview(asked)
        except UnusableError as error:
            raise Invalid(str(error)) from error
        if not reading.revision:
            raise Unavailable(
                f"the source of {name} has not been read: `reconciler status {name}` says why"
            )
        shown = approval.to_json(found, name, reading.revision, self._shared.mask)
        if held:
            shown["held"] = [{"object": str(key), "message": message} for key, message in held]
        return shown

    def _application_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        if obj is None or self._group is None:
            return
        name = name_of(obj)
        for other in self._loops.values():
            other.dependency_changed(name)
        loop = self._loops.get(name)
        if loop is not None:
            loop.application_changed(old, new)
        elif new is not None:
            loop = self._loops[name] = ApplicationLoop(self._shared, name)
            task = self._group.create_task(loop.run(), name=f"application-{name}")
            task.add_done_callback(lambda _: self._loops.pop(name, None))

    def _released(self, name: str, key: Key) -> None:
        """An Application may have an object that another has let go."""
        loop = self._loops.get(name)
        if loop is not None:
            loop.object_changed(key)

    def _object_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        if obj is None:
            return
        if obj.get("kind") in ("ConfigMap", "Secret"):
            for one in self._loops.values():
                one.variables_changed(Key.of(obj))
        names = {annotations_of(o).get(APPLICATION_ANNOTATION) for o in (old, new) if o is not None}
        for name in names:
            loop = self._loops.get(name) if name else None
            if loop is not None:
                loop.object_changed(Key.of(obj))
