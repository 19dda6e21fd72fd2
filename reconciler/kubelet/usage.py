"""What Pods use: measured at intervals, told from memory (metrics-server's part). Implements ``api.metrics.UsageSource``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from reconciler.api.metrics import NodeUsage, PodUsage, Usage
from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock
    from reconciler.runtime.cri import Runtime

log = structlog.get_logger(__name__)

#: How often all is measured, and over how long at least, in seconds (metrics-server: --metric-resolution).
INTERVAL = 15.0
#: The first window of a container is short: an autoscaler and whoever looks wait for it.
FIRST_WINDOW = 2.0


class _Base(NamedTuple):
    """Where a window begins: when, and what had been used by then."""

    at: float
    cpu: int


class PodUsages:
    """The usage of one node's Pods, over the last window."""

    def __init__(
        self, runtime: Runtime, node_name: str, node: Callable[[], tuple[int, int]], clock: Clock
    ) -> None:
        """``node`` returns (CPU time in nanoseconds since boot, bytes in use) of this machine."""
        self._runtime = runtime
        self._node_name = node_name
        self._read_node = node
        self._clock = clock
        self._bases: dict[str, _Base] = {}
        self._pods: dict[str, PodUsage] = {}
        self._node: NodeUsage | None = None

    def usage(self, uid: str) -> PodUsage | None:
        return self._pods.get(uid)

    def node(self, name: str) -> NodeUsage | None:
        return self._node if name == self._node_name else None

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            wait = INTERVAL
            try:
                wait = await self._measure()
            except (RuntimeFailure, OSError) as error:
                log.debug("usage cannot be measured", error=str(error))
            await self._clock.sleep(wait)

    async def _measure(self) -> float:
        """Measure once; returns in how many seconds to measure again."""
        stats = await self._runtime.stats()
        now, at = self._clock.monotonic(), self._clock.now()
        cpu, memory = self._read_node()
        bases = self._bases
        self._bases = {key: bases[key] for key in ("", *(s.id for s in stats)) if key in bases}
        window, used = self._window("", now, cpu)
        if window:
            self._node = NodeUsage(at, window, Usage(used, memory))
        pods: dict[str, dict[str, Usage]] = {}
        windows: dict[str, float] = {}
        fresh = False
        for one in stats:
            window, used = self._window(one.id, now, one.cpu)
            if window:
                pods.setdefault(one.pod_uid, {})[one.name] = Usage(used, one.memory)
                windows[one.pod_uid] = max(window, windows.get(one.pod_uid, 0.0))
            fresh = fresh or not window
        self._pods = {uid: PodUsage(at, windows[uid], used) for uid, used in pods.items()}
        return FIRST_WINDOW if fresh or self._node is None else INTERVAL

    def _window(self, key: str, now: float, cpu: int) -> tuple[float, float]:
        """Return the seconds of a window that ends now and the millicores used in it; (0, 0) for one that only begins."""
        base = self._bases.setdefault(key, _Base(now, cpu))
        seconds = now - base.at
        if seconds <= 0:
            return 0.0, 0.0
        if seconds >= INTERVAL:
            self._bases[key] = _Base(now, cpu)
        # What is known of processes only may shrink, as they end.
        return seconds, max(cpu - base.cpu, 0) / 1e6 / seconds
