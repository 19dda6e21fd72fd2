"""Time, randomness and identity: the one place where they come from.

Nothing else in reconciler calls ``time.time()``, ``asyncio.sleep``, ``uuid4`` or ``random``. A component takes a
``Clock`` and an ``Entropy``. In production they are the machine's; under test the whole control plane runs on a
``VirtualLoop``, whose time jumps to the next timer as soon as nothing is ready to run, and on a seeded ``Entropy``:
an hour passes in seconds and the same seed gives the same hour.
"""

from __future__ import annotations

import asyncio
import functools
import random
import selectors
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

#: The alphabet of generated name suffixes: no vowels, no look-alikes (behaviour M05).
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


#: What was read after ``now`` may lie ahead of it so far, in seconds, without the clock having been set back.
READ_LATER = 5.0


class Clock(Protocol):
    """Where time comes from. All values are seconds."""

    def now(self) -> float:
        """Seconds since the Unix epoch (UTC); may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow; for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 lets other tasks run."""
        ...


class Entropy(Protocol):
    """Where randomness and identity come from."""

    def uid(self) -> str:
        """Return a new object UID: a UUID in its canonical form."""
        ...

    def suffix(self, length: int = 5) -> str:
        """Return a random name suffix over ``SUFFIX_ALPHABET``."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]; for jitter."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemEntropy:
    """The machine's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def uid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(SUFFIX_ALPHABET, k=length))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class SeededEntropy:
    """Reproducible randomness, for simulations and tests."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducibility is the point

    def uid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(SUFFIX_ALPHABET, k=length))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class LoopClock:
    """A clock that reads the running event loop: under a ``VirtualLoop`` its time is virtual."""

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._epoch = epoch

    def now(self) -> float:
        return self._epoch + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: when nothing is ready, the loop's time jumps by the time it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError(
                "virtual time: every task waits for something that will never happen"
            )
        self.elapsed += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose ``time()`` jumps to the next timer when nothing is ready to run.

    Only for code without real I/O or threads: a thread's answer would arrive "hours" later.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine under virtual time, as ``asyncio.run`` does under real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def left_of(wait: float, since: float, now: float) -> float:
    """Return how many seconds are left of a wait that began at ``since`` on the wall clock.

    A beginning that lies ahead is of before the clock was set back, and nobody knows how long ago that was: the wait
    is over, for it would last as much longer as the clock was set back.

    >>> left_of(10.0, 100.0, 104.0), left_of(10.0, 100.0, 111.0), left_of(10.0, 100.0, 40.0)
    (6.0, 0.0, 0.0)
    """
    if since > now + READ_LATER:
        return 0.0
    return max(0.0, since + wait - now)


def rfc3339(seconds: float) -> str:
    """Format seconds since the epoch as Kubernetes' ``metav1.Time``: UTC, whole seconds.

    >>> rfc3339(1_700_000_000.9)
    '2023-11-14T22:13:20Z'
    """
    return _whole_second(int(seconds))


@functools.lru_cache(maxsize=64)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Format as Kubernetes' ``metav1.MicroTime``.

    >>> rfc3339_micro(1_700_000_000.5)
    '2023-11-14T22:13:20.500000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Parse a timestamp into seconds since the epoch; raises ``ValueError`` on anything else.

    >>> parse_rfc3339("2023-11-14T22:13:20Z")
    1700000000.0
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"timestamp without a time zone: {text!r}")
    return parsed.timestamp()
