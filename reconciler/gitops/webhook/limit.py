"""How many webhooks are listened to, and which were heard before. Pure."""

from __future__ import annotations

from collections import OrderedDict


class Bucket:
    """Lets ``burst`` through at once and ``rate`` a second in the long run."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one, if there is one; ``now`` in seconds that only grow."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Heard:
    """Remembers the last ``most`` marks, and how long each counts, in seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._marks: OrderedDict[str, float] = OrderedDict()

    def again(self, mark: str, now: float) -> bool:
        """Note a mark; returns whether it was heard before."""
        while self._marks and next(iter(self._marks.values())) < now - self._seconds:
            self._marks.popitem(last=False)
        if mark in self._marks:
            return True
        self._marks[mark] = now
        if len(self._marks) > self._most:
            self._marks.popitem(last=False)
        return False
