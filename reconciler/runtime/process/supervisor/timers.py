"""What is to be done at a later time. One that is cancelled keeps nothing alive that it would have needed."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(order=True, slots=True)
class Timer:
    """One callback at one time (monotonic seconds)."""

    due: float
    number: int
    callback: Callable[[], None] | None = field(compare=False)


class Timers:
    """Callbacks by time; O(log N) to add one, to cancel one and to run one."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heap: list[Timer] = []
        self._number = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return how many are held, those included that were cancelled and not cleared yet: at most as many as others."""
        return len(self._heap)

    def add(self, seconds: float, callback: Callable[[], None]) -> Timer:
        self._number += 1
        timer = Timer(self._now() + seconds, self._number, callback)
        heapq.heappush(self._heap, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """See that it is never called; nothing, if it was."""
        if timer.callback is None:
            return
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > len(self._heap) // 2:
            self._heap = [one for one in self._heap if one.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def wait(self) -> float | None:
        """Return the seconds until the next one is due, 0 when it is, None when there is none."""
        return max(0.0, self._heap[0].due - self._now()) if self._heap else None

    def run(self) -> None:
        """Call what is due, in the order of its times."""
        while self._heap and self._heap[0].due <= self._now():
            timer = heapq.heappop(self._heap)
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
