"""Work that takes the processor or a disk for long, off the loop: the API and other Applications go on meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: So much of it at once. Turns are given in order, so that a large Application does not keep small ones waiting.
AT_ONCE = 2


class Threads:
    """Runs work in threads, a few at a time. Implements ``gitops.engine.shared.Aside``."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, work: Callable[[], T], /) -> T:
        async with self._turns:
            return await asyncio.to_thread(work)
