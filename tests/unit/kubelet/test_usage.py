"""What is told of usage, over which window. Under virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from reconciler.clock import LoopClock, run_virtual
from reconciler.kubelet.usage import PodUsages
from reconciler.runtime.cri import ContainerStats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.runtime.cri import Runtime

SECOND = 1_000_000_000


class Machine:
    """Containers that use so many cores each, from when they were started."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self._containers: dict[str, tuple[str, float, float]] = {}

    def start(self, key: str, pod: str, cores: float) -> None:
        self._containers[key] = (pod, cores, self._clock.monotonic())

    def end(self, key: str) -> None:
        del self._containers[key]

    async def stats(self, pod_uid: str | None = None) -> list[ContainerStats]:
        now = self._clock.monotonic()
        return [
            ContainerStats(key, pod, key, int((now - since) * cores * SECOND), 1 << 20)
            for key, (pod, cores, since) in self._containers.items()
        ]

    def node(self) -> tuple[int, int]:
        return int(self._clock.monotonic() * SECOND / 2), 1 << 30


def story(told: Callable[[Machine, PodUsages, LoopClock], Awaitable[Any]]) -> None:
    async def main() -> None:
        clock = LoopClock()
        machine = Machine(clock)
        usages = PodUsages(cast("Runtime", machine), "node", machine.node, clock)
        task = asyncio.create_task(usages.run())
        await told(machine, usages, clock)
        task.cancel()

    run_virtual(main())


def test_a_pod_s_usage_is_known_soon_and_then_over_longer_windows() -> None:
    async def told(machine: Machine, usages: PodUsages, clock: LoopClock) -> None:
        machine.start("c1", "pod", 0.5)
        machine.start("c2", "pod", 0.25)
        await clock.sleep(3)
        first = usages.usage("pod")
        assert first is not None
        assert {n: round(u.cpu) for n, u in first.containers.items()} == {"c1": 500, "c2": 250}
        assert first.window == 2.0
        await clock.sleep(60)
        later = usages.usage("pod")
        assert later is not None
        assert later.window >= 15.0
        assert later.at > first.at
        node = usages.node("node")
        assert node is not None
        assert round(node.usage.cpu) == 500
        assert usages.node("other") is None

    story(told)


def test_what_does_not_run_any_more_is_not_told() -> None:
    async def told(machine: Machine, usages: PodUsages, clock: LoopClock) -> None:
        machine.start("c1", "pod", 0.5)
        await clock.sleep(20)
        machine.end("c1")
        await clock.sleep(20)
        assert usages.usage("pod") is None

    story(told)


def test_a_container_started_later_is_measured_from_its_own_beginning() -> None:
    async def told(machine: Machine, usages: PodUsages, clock: LoopClock) -> None:
        machine.start("c1", "old", 1.0)
        await clock.sleep(100)
        machine.start("c2", "new", 0.1)
        await clock.sleep(20)
        new, old = usages.usage("new"), usages.usage("old")
        assert new is not None
        assert old is not None
        assert round(new.containers["c2"].cpu) == 100
        assert round(old.containers["c1"].cpu) == 1000

    story(told)
