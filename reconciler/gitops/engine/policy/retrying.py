"""When a failed sync is tried again: back-off as Argo CD's, and an end. A failure that may pass is tried for ever."""

from __future__ import annotations

from typing import NamedTuple


class Retry(NamedTuple):
    """``limit`` tries after the first (-1: for ever); waits grow from ``first`` by ``factor`` to ``longest`` (seconds)."""

    limit: int = 5
    first: float = 5.0
    factor: float = 2.0
    longest: float = 180.0

    def wait(self, failures: int) -> float:
        """Return the wait after so many failures in a row (at least one), in seconds.

        >>> [Retry().wait(n) for n in (1, 2, 3, 10, 100_000)]
        [5.0, 10.0, 20.0, 180.0, 180.0]
        """
        try:
            return min(self.first * self.factor ** max(failures - 1, 0), self.longest)
        except OverflowError:
            return self.longest


class Failure(NamedTuple):
    """Failed tries of one revision. ``passing``: the last may pass by itself (a server that is away, a full disk)."""

    revision: str
    tries: int
    at: float
    passing: bool = False


def next_try(retry: Retry, failure: Failure, deadline: float) -> float | None:
    """Return when to try again (seconds since the epoch); None: not before a new revision or a sync by hand.

    ``deadline`` is when the sync as a whole is over: it counts for all tries together (argo-cd#23523).
    """
    at = failure.at + retry.wait(failure.tries)
    if failure.passing or retry.limit < 0:
        return at
    if failure.tries > retry.limit or at >= deadline:
        return None
    return at
