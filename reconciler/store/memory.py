"""A store that forgets everything when it goes: sqlite's twin for tests, simulations and dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import StoreError
from reconciler.store.protocol import Contents, Record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class MemoryStore:
    """Keeps revisions in a list. Appending never waits, so it runs under virtual time."""

    def __init__(self, history: int = 10_000) -> None:
        self._history = history
        self._live: dict[str, Record] = {}
        self._log: list[Record] = []
        self._revision = 0
        self._compacted = 0

    async def open(self) -> Contents:
        records = sorted(self._live.values(), key=lambda r: r.revision)
        return Contents(records, self._revision, self._compacted)

    async def append(self, records: Iterable[Record]) -> None:
        for record in records:
            self._revision = record.revision
            self._log.append(record)
            if record.value is None:
                self._live.pop(record.key, None)
            else:
                self._live[record.key] = record
        if len(self._log) > 2 * self._history:
            await self.compact(self._log[-self._history].revision)

    async def since(self, revision: int) -> list[Record]:
        if revision < self._compacted:
            raise StoreError(
                f"revision {revision} is compacted; the oldest kept is {self._compacted}"
            )
        return [r for r in self._log if r.revision > revision]

    async def compact(self, revision: int) -> None:
        self._compacted = max(self._compacted, min(revision, self._revision))
        self._log = [r for r in self._log if r.revision > self._compacted]

    async def backup(self, path: Path) -> None:
        raise StoreError(f"a store in memory cannot be backed up to {path}")

    async def check(self) -> None:
        pass

    def size(self) -> int:
        return 0

    async def close(self) -> None:
        pass
