"""What is wanted in place of the source: a recorded set that was rolled back to, or another revision, for once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.api import requests
from reconciler.gitops.engine import rollback
from reconciler.gitops.engine.reading import Invalid
from reconciler.gitops.engine.report import OUT_OF_SYNC
from reconciler.gitops.engine.standing import Answer, Pin
from reconciler.gitops.history import HistoryError

if TYPE_CHECKING:
    from reconciler.api.requests import SyncRequest
    from reconciler.gitops.engine.parts import Parts
    from reconciler.gitops.engine.reading import Reader, Reading
    from reconciler.gitops.engine.state import State


_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?(?![0-9a-f])")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")


class Pins:
    """Sets and reads one Application's pin."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pinned: tuple[str, Reading] | None = None

    async def answer_rollback(self, state: State) -> None:
        """Take up a rollback that somebody asks for, or say why not."""
        standing = state.standing
        request = requests.rollback_request(state.app, standing.rollback.at)
        if request is None:
            return
        records = await self._parts.recording.records(state.uid)
        current = standing.pin.set if standing.pin is not None else standing.operation.set
        try:
            found = rollback.asked_for(
                request, records, current, state.source.revision, self._parts.shared.clock.now()
            )
        except rollback.CannotRollBack as error:
            standing.rollback = Answer(request.at, accepted=False, message=str(error))
            return
        standing.rollback = Answer(request.at, message=found.message)
        standing.rollback_failed = ""
        standing.pin = found._replace(source_set=await self._parts.recording.keep_set(state.source))

    async def follow(self, state: State) -> None:
        """End what is pinned where the source is not what it was then."""
        pin, source = state.standing.pin, state.source
        if pin is None or pin.source == source.revision:
            return
        if pin.source_set and pin.source_set == await self._parts.recording.keep_set(source):
            state.standing.pin = pin._replace(source=source.revision)
        else:
            state.standing.pin = None

    async def pin(self, state: State, request: SyncRequest, reader: Reader) -> None:
        """Let another revision be wanted in place of the source's, as somebody asks. Raises ``Invalid``.

        The revision that the source has anyhow is wanted without.
        """
        name = await self.whole(state, request.revision)
        reading = await reader.once(state.app, name)
        if reading.revision == state.source.revision:
            return
        digest = await self._parts.recording.keep_set(reading)
        if not digest:
            raise Invalid("SourceError", f"what {name} renders to cannot be kept: see the log")
        state.standing.pin = Pin(
            0, reading.revision, digest, state.source.revision, self._parts.shared.clock.now(),
            by=request.by, asked=request.revision,
            source_set=await self._parts.recording.keep_set(state.source),
        )  # fmt: skip
        self._pinned = (digest, reading)

    async def whole(self, state: State, name: str) -> str:
        """Return the commit that a name begins, where the history knows it; else the name."""
        if not _ABBREVIATED.fullmatch(name):
            return name
        records = await self._parts.recording.records(state.uid)
        commits = {found[0] for r in records if (found := _COMMIT.match(r.revision))}
        fitting = [commit for commit in commits if commit.startswith(name)]
        return fitting[0] if len(fitting) == 1 else name

    async def wanted(self, state: State) -> Reading | None:
        """Return what is wanted now: the source's, or the set that is pinned. None: that cannot be read, and why is told."""
        pin = state.standing.pin
        if pin is None:
            self._pinned = None
            return state.source
        if self._pinned is None or self._pinned[0] != pin.set:
            try:
                objects = await self._parts.recording.objects(pin.set)
            except HistoryError as error:
                state.conditions["RollbackFailed"] = str(error)
                state.sync_status = OUT_OF_SYNC
                return None
            records = await self._parts.recording.records(state.uid)
            record = next((r for r in records if r.id == pin.id), None)
            self._pinned = (pin.set, rollback.reading_of(pin, objects, record))
        return self._pinned[1]
