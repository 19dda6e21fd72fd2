"""What is wanted in place of the source: a recorded set, while that is rolled back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import requests
from reconciler.gitops.engine import rollback
from reconciler.gitops.engine.report import OUT_OF_SYNC
from reconciler.gitops.engine.standing import Answer
from reconciler.gitops.history import HistoryError

if TYPE_CHECKING:
    from reconciler.gitops.engine.parts import Parts
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.state import State


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
        standing.pin = found

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
