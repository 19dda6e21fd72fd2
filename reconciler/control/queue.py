"""The work queue: a key waits at most once, is worked on by one worker at a time, and comes back later where asked."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Key

#: Back-off of a failing key, in seconds: the first wait and the longest.
FIRST_RETRY = 0.02
LONGEST_RETRY = 30.0


class WorkQueue:
    """Keys to plan. Adding one that waits changes nothing; one that is worked on waits again afterwards.

    ``waited`` is told how many seconds a key has waited, when it is taken.
    """

    def __init__(self, waited: Callable[[float], None] | None = None) -> None:
        self._waited = waited
        self._since: dict[Key, float] = {}
        self._order: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._active: set[Key] = set()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._resting: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._idlers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def failing(self) -> int:
        """How many keys failed when they were worked on last."""
        return len(self._failures)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is worked on (timers may run)."""
        return not self._waiting and not self._active

    def add(self, key: Key) -> None:
        if key in self._waiting:
            return
        self._waiting.add(key)
        if self._waited is not None:
            self._since[key] = asyncio.get_running_loop().time()
        self._offer(key)

    def _offer(self, key: Key) -> None:
        if key in self._waiting and key not in self._active and key not in self._resting:
            self._order.append(key)
            self._wake_one()

    def _wake_one(self) -> None:
        """Wake one of those that wait for a key: a key each is enough, and the others would only look and wait on."""
        while self._idlers:
            idler = self._idlers.popleft()
            if not idler.done():
                idler.set_result(None)
                return

    def add_after(self, key: Key, seconds: float) -> None:
        """Add after a while; an earlier time wins over a later one."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.0)
        present = self._later.get(key)
        if present is not None:
            if present.when() <= when:
                return
            present.cancel()
        self._later[key] = loop.call_at(when, self._due, key)

    def _due(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)

    def retry(self, key: Key) -> float:
        """Add after a back-off that doubles with every failure; returns the wait in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(FIRST_RETRY * 2.0 ** min(failures, 20), LONGEST_RETRY)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: Key) -> None:
        """It went well: the next failure starts from the first wait."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Return the next key; ``done`` must follow."""
        while not self._order:
            idler = asyncio.get_running_loop().create_future()
            self._idlers.append(idler)
            try:
                await idler
            except asyncio.CancelledError:
                if idler.done() and not idler.cancelled():
                    self._wake_one()  # it was woken, and somebody must take the key
                raise
        key = self._order.popleft()
        self._waiting.discard(key)
        self._active.add(key)
        if self._waited is not None:
            self._waited(asyncio.get_running_loop().time() - self._since.pop(key))
        return key

    def done(self, key: Key, rest: float = 0.0) -> None:
        """Worked on; it comes again in ``rest`` seconds at the earliest, with all that has happened until then."""
        self._active.discard(key)
        if rest > 0:
            loop = asyncio.get_running_loop()
            self._resting[key] = loop.call_later(rest, self._rested, key)
        else:
            self._offer(key)

    def _rested(self, key: Key) -> None:
        del self._resting[key]
        self._offer(key)

    def close(self) -> None:
        """Forget the timers."""
        for handle in [*self._later.values(), *self._resting.values()]:
            handle.cancel()
        self._later.clear()
        self._resting.clear()
