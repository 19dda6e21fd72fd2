"""Keeps the history of one Application: a record of each sync, and the set that it rendered to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from reconciler.gitops.history import HistoryError, ObjectResult, Record
from reconciler.gitops.history.record import FAILED, INTERRUPTED, SKIPPED, SUCCEEDED
from reconciler.gitops.history.retention import kept

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.apply import Result
    from reconciler.gitops.engine.policy.settings import Retention
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.engine.standing import Operation
    from reconciler.gitops.engine.syncing import Synced

log = structlog.get_logger(__name__)


class Recording:
    """Writes history aside of the loop; what cannot be written is logged and hinders nothing."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._records: list[Record] | None = None
        self._set_of: tuple[Reading, str] | None = None

    async def records(self, uid: str) -> list[Record]:
        """Return the records of this very Application; those of a former one of its name are forgotten.

        Empty while they cannot be read: nothing that runs depends on them.
        """
        if self._records is None:
            try:
                found = await self._shared.aside(lambda: self._shared.history.records(self._name))
            except HistoryError as error:
                log.warning("history", application=self._name, error=str(error))
                return []
            if any(r.uid != uid for r in found):
                await self._shared.aside(lambda: self._shared.history.drop(self._name))
                found = []
            self._records = found
        return self._records

    async def next_id(self, uid: str) -> int:
        """Return the number of the next record."""
        records = await self.records(uid)
        return records[-1].id + 1 if records else 1

    async def keep_set(self, reading: Reading) -> str:
        """Keep what a revision rendered to; returns its digest, empty where that cannot be done."""
        if self._set_of is None or self._set_of[0] is not reading:
            wanted = {
                w.digest: w.object for w in (*reading.wanted.values(), *reading.hooks.values())
            }
            history = self._shared.history
            try:
                digest = await self._shared.aside(lambda: history.put_set(self._name, wanted))
            except HistoryError as error:
                log.warning("history", application=self._name, error=str(error))
                return ""
            self._set_of = (reading, digest)
        return self._set_of[1]

    async def objects(self, digest: str) -> list[Object]:
        """Return the objects of a set. Raises ``HistoryError``."""
        return await self._shared.aside(lambda: self._shared.history.objects(self._name, digest))

    async def add(self, record: Record, retention: Retention, pinned: int) -> None:
        """Keep a record, or put it in the place of its earlier form; ``pinned`` is one that is in use."""
        records = [r for r in await self.records(record.uid) if r.id != record.id]
        if self._records is None:  # what is there and cannot be read is not replaced
            return
        records = sorted([*records, record], key=lambda r: r.id)
        keep = kept(
            records, count=retention.syncs, seconds=retention.seconds,
            now=self._shared.clock.now(), always=(pinned, record.id),
        )  # fmt: skip
        history, gone = self._shared.history, len(keep) < len(records)
        self._records = [r for r in records if r.id in keep]

        def write() -> None:
            history.put_record(self._name, record)
            if gone:
                history.prune(self._name, keep)

        try:
            await self._shared.aside(write)
        except (HistoryError, OSError) as error:
            log.warning("history", application=self._name, error=str(error))

    async def drop(self) -> None:
        """Forget everything: the Application is gone."""
        await self._shared.aside(lambda: self._shared.history.drop(self._name))


def record_of(operation: Operation, uid: str, reading: Reading, synced: Synced) -> Record:
    """Return the record of a sync, of its last try."""
    counts: dict[str, int] = {}
    for result in synced.results:
        counts[result.change.action] = counts.get(result.change.action, 0) + 1
    ended = INTERRUPTED if synced.interrupted else operation.phase
    return Record(
        operation.id, uid, operation.revision, operation.set, operation.trigger, operation.by,
        operation.started, operation.ended, ended, operation.message, reading.author,
        reading.message.partition("\n")[0], counts, tuple(_object(r) for r in synced.results),
        tries=operation.tries,
    )  # fmt: skip


def _object(result: Result) -> ObjectResult:
    key = result.change.key
    state = SUCCEEDED if not result.error else FAILED if result.started else SKIPPED
    return ObjectResult(
        key.group, key.kind, key.namespace, key.name, result.change.action, state, result.error,
        round(result.seconds, 6),
    )  # fmt: skip
