"""When a loop wakes by itself: one timer, the earliest time that was asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock

#: A loop that waits for a time looks at the clock at least so often, in seconds: clocks are set.
LONGEST_WAIT = 600.0


class Alarm:
    """Calls ``ring`` once, at the earliest time asked for since it was cleared."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def after(self, seconds: float) -> None:
        """Ring after so many seconds, or earlier."""
        loop = asyncio.get_running_loop()
        at = loop.time() + min(max(seconds, 0.0), LONGEST_WAIT)
        if self._timer is None or self._timer.when() > at:
            self.clear()
            self._timer = loop.call_at(at, self._ring)

    def at(self, time: float | None) -> None:
        """Ring at a time in seconds since the epoch, or earlier; None asks for nothing."""
        if time is not None:
            # Timestamps are cut to what they are written in: never ring before one.
            self.after(time - self._clock.now() + 0.001)

    def clear(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
