"""The disk that outlives the simulated daemon: it may be full, and the machine may die between any two writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.errors import StoreError
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.store.protocol import Record


class Disk(MemoryStore):
    """A store that tells of every record it has kept, and that can refuse or die."""

    def __init__(self, kept: Callable[[Record], None]) -> None:
        super().__init__()
        self._kept = kept
        self._dies_in: int | None = None
        self._keeps_last = False
        self._asked = 0
        self.full = False
        self.flaky = False
        self.died = asyncio.Event()

    def die(self, writes: int, *, after: bool) -> None:
        """Let the daemon die at a coming write, before or after that write is kept."""
        self._dies_in, self._keeps_last = writes, after

    def mount(self) -> None:
        """Be there again for the next daemon."""
        self._dies_in = None
        self.died.clear()

    async def append(self, records: Iterable[Record]) -> None:
        self._asked += 1
        if self.full or (self.flaky and self._asked % 3 == 0):
            raise StoreError("no space left on device")
        for record in records:
            dies = self._dies_in == 0
            if not dies or self._keeps_last:
                await super().append([record])
                self._kept(record)
            if dies:
                self.died.set()
                await asyncio.get_running_loop().create_future()
            if self._dies_in is not None:
                self._dies_in -= 1
