"""Whether a daemon is ready: can it write, does it see, do its loops run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.apiserver import Check
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from reconciler.clock import Clock
    from reconciler.control import InformerCache
    from reconciler.registry import Registry
    from reconciler.runtime.cri import Runtime

#: Whoever asks again within this gets the same answer: a check writes to the disk.
KEPT_SECONDS = 1.0
#: A part that does not answer within this is not ready, in seconds.
LONGEST_ANSWER = 5.0
#: The uid of no Pod: asking for it is an answer from the runtime, and a short one.
NO_POD = "-"


class Health:
    """The checks of ``/readyz``. ``tasks`` are the loops by name, filled in as they start."""

    def __init__(
        self,
        registry: Registry,
        cache: InformerCache,
        *,
        loops: Sequence[str],
        tasks: Mapping[str, asyncio.Task[None]],
        runtime: Runtime,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._loops = loops
        self._tasks = tasks
        self._runtime = runtime
        self._clock = clock
        self._last: tuple[float, list[Check]] | None = None

    async def checks(self) -> list[Check]:
        """Return every check; never raises."""
        now = self._clock.monotonic()
        if self._last is None or now - self._last[0] >= KEPT_SECONDS:
            unlisted = self._cache.unlisted()
            found = [
                Check("store", await _problem(self._registry.check())),
                Check("runtime", await _problem(self._runtime.pods(NO_POD))),
                Check("informers", f"not listed yet: {', '.join(unlisted)}" if unlisted else ""),
                *(Check(name, self._loop(name)) for name in self._loops),
            ]
            self._last = (now, found)
        return self._last[1]

    def _loop(self, name: str) -> str:
        task = self._tasks.get(name)
        if task is None:
            return "not started yet"
        return "it has ended" if task.done() else ""


async def _problem(question: Awaitable[object]) -> str:
    """Return why a part does not answer; empty when it does."""
    try:
        async with asyncio.timeout(LONGEST_ANSWER):
            await question
    except TimeoutError:
        return f"no answer within {LONGEST_ANSWER:g} s"
    except ReconcilerError as error:
        return str(error)
    return ""
