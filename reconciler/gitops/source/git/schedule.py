"""When a repository is asked next. Pure."""

from __future__ import annotations

#: After a failure: the first wait, doubling, up to the longest (or the interval, where that is longer), in seconds.
FIRST_RETRY = 2.0
LONGEST_RETRY = 120.0
#: Waits are longer by up to this part of themselves, so that many sources do not ask at the same moment.
JITTER = 0.1


def wait(interval: float, failures: int, chance: float) -> float:
    """Return the seconds until the next look; ``chance`` is a random number in [0, 1].

    >>> wait(60, 0, 0.0), wait(60, 1, 0.0), wait(60, 4, 0.0), wait(600, 99, 0.0)
    (60.0, 2.0, 16.0, 600.0)
    """
    if failures:
        longest = max(LONGEST_RETRY, interval)
        interval = min(FIRST_RETRY * 2.0 ** min(failures - 1, 20), longest)
    return float(interval * (1 + JITTER * chance))
