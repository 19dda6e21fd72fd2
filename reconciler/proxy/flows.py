"""What is under way between clients and endpoints, so that an endpoint can be ended when nothing of it is lost."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.clock import Clock
    from reconciler.proxy.listeners import Endpoint

#: A TCP connection on which nothing moved for so long holds nothing under way, in seconds.
QUIET_SECONDS = 1.0
#: So often a waiting look is repeated, in seconds.
LOOK_SECONDS = 0.02


class Flow:
    """One request, tunnel or connection on its way to an endpoint.

    A request (or a WebSocket) is under way until it is closed. A plain ``stream`` cannot be understood: it is under
    way while bytes move.
    """

    __slots__ = ("endpoint", "leaving", "moved", "stream")

    def __init__(self, endpoint: Endpoint, now: float, *, stream: bool) -> None:
        self.endpoint = endpoint
        self.moved = now
        self.stream = stream
        self.leaving = False  # its endpoint gets nothing new any more


class Flows:
    """Every flow of a proxy."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[Endpoint, set[Flow]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def open(self, endpoint: Endpoint, *, stream: bool = False) -> Flow:
        """Note a flow, from before its connection is made."""
        flow = Flow(endpoint, self._clock.monotonic(), stream=stream)
        self._open.setdefault(endpoint, set()).add(flow)
        return flow

    def leave(self, endpoints: Iterable[Endpoint]) -> None:
        """Note that endpoints get nothing new any more."""
        for endpoint in endpoints:
            for flow in self._open.get(endpoint, ()):
                flow.leaving = True

    def touch(self, flow: Flow) -> None:
        """Note that bytes moved."""
        flow.moved = self._clock.monotonic()

    def close(self, flow: Flow) -> None:
        """Forget a flow that has ended."""
        flows = self._open.get(flow.endpoint)
        if flows is not None:
            flows.discard(flow)
            if not flows:
                del self._open[flow.endpoint]

    @contextmanager
    def request(self, endpoint: Endpoint) -> Iterator[None]:
        """Note one request while the context lasts."""
        flow = self.open(endpoint)
        try:
            yield
        finally:
            self.close(flow)

    async def settled(self, address: str, seconds: float) -> bool:
        """Wait until what is under way to an address now has ended, for so long at most; returns whether it has."""
        waiting = {f for e, flows in self._open.items() if e.address == address for f in flows}
        deadline = self._clock.monotonic() + seconds
        while waiting := {f for f in waiting if self._is_under_way(f)}:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            await self._clock.sleep(min(LOOK_SECONDS, left))
        return True

    def _is_under_way(self, flow: Flow) -> bool:
        if flow not in self._open.get(flow.endpoint, ()):
            return False
        return not flow.stream or self._clock.monotonic() - flow.moved < QUIET_SECONDS
