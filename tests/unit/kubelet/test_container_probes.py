"""When a container counts as started, ready and alive: probes under virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.clock import LoopClock, SeededEntropy, run_virtual
from reconciler.kubelet.probes import ContainerProbes, Outcome, Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READINESS = {"readinessProbe": {"httpGet": {"port": 1, "path": "readiness"}, "periodSeconds": 10}}
LIVENESS = {"livenessProbe": {"httpGet": {"port": 1, "path": "liveness"}, "periodSeconds": 10}}
STARTUP = {"startupProbe": {"httpGet": {"port": 1, "path": "startup"}, "periodSeconds": 10}}


class Scripted:
    """Answers as it was told; keeps when it was asked what."""

    def __init__(self) -> None:
        self.ok = {"readiness": True, "liveness": True, "startup": True}
        self.asked: list[tuple[str, float]] = []

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        kind = handler["httpGet"]["path"]
        self.asked.append((kind, asyncio.get_running_loop().time()))
        return Outcome(self.ok[kind], "as told")

    def times(self, kind: str) -> list[float]:
        return [at for asked, at in self.asked if asked == kind]


def story(
    told: Callable[[ContainerProbes, Scripted, LoopClock], Awaitable[None]], *probes: dict[str, Any]
) -> None:
    """Run one container with these probes, beside what happens to it."""

    async def main() -> None:
        clock, prober = LoopClock(), Scripted()
        container: dict[str, Any] = {"name": "main"}
        for probe in probes:
            container |= probe
        one = ContainerProbes(
            container, Target("id", "10.0.0.2", {}), prober, started_at=clock.now(), clock=clock,
            entropy=SeededEntropy(1), changed=lambda: None, told=lambda _, __: None,
        )  # fmt: skip
        running = asyncio.create_task(one.run())
        await told(one, prober, clock)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main())


def is_ready(one: ContainerProbes) -> bool:
    return one.state.ready


def with_(probe: dict[str, Any], **more: Any) -> dict[str, Any]:
    ((kind, fields),) = probe.items()
    return {kind: {**fields, **more}}


def test_before_the_first_result_a_container_is_not_ready_and_alive() -> None:
    """B03, B10: and nothing is asked before initialDelaySeconds are over."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        assert one.state == (True, False, "")
        await clock.sleep(6.9)
        assert prober.asked == []
        assert one.state == (True, False, "")
        await clock.sleep(2)
        assert prober.times("readiness")[0] == 7
        assert is_ready(one)

    story(told, with_(READINESS, initialDelaySeconds=7))


def test_a_container_without_probes_for_it_is_ready_at_once() -> None:
    """B04."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        assert is_ready(one)
        prober.ok["liveness"] = False
        await clock.sleep(15)
        assert is_ready(one)

    story(told, LIVENESS)


def test_readiness_goes_after_so_many_failures_and_comes_after_so_many_successes() -> None:
    """B05, B06: in a row, and no restart is asked for."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        await clock.sleep(5)
        assert is_ready(one)
        prober.ok["readiness"] = False
        await clock.sleep(20)
        assert is_ready(one)
        prober.ok["readiness"] = True
        await clock.sleep(10)
        prober.ok["readiness"] = False
        await clock.sleep(25)
        assert is_ready(one), "two failures, a success and two failures are not three in a row"
        await clock.sleep(10)
        assert one.state == (True, False, "")
        prober.ok["readiness"] = True
        before = len(prober.asked)
        while not is_ready(one):
            await clock.sleep(0.1)
        assert len(prober.asked) - before == 2

    story(told, with_(READINESS, failureThreshold=3, successThreshold=2))


def test_liveness_asks_for_a_restart_after_so_many_failures_in_a_row() -> None:
    """B07."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        await clock.sleep(25)
        prober.ok["liveness"] = False
        await clock.sleep(15)
        assert one.state.failed == ""
        await clock.sleep(15)
        assert one.state.failed == "liveness"
        asked = len(prober.asked)
        await clock.sleep(60)
        assert len(prober.asked) == asked

    story(told, LIVENESS)


def test_nothing_else_is_asked_until_it_has_started() -> None:
    """B08: and then the other probes' delays count from the start of the container."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        prober.ok["startup"] = False
        assert one.state == (False, False, "")
        await clock.sleep(25)
        assert {kind for kind, _ in prober.asked} == {"startup"}
        prober.ok["startup"] = True
        await clock.sleep(7)
        assert one.state == (True, True, "")
        assert prober.times("readiness")[0] == 30
        await clock.sleep(5)
        assert 30 <= prober.times("liveness")[0] <= 31

    story(
        told, with_(STARTUP, failureThreshold=9), with_(READINESS, initialDelaySeconds=20), LIVENESS
    )


def test_one_that_never_starts_is_restarted() -> None:
    """B09."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        prober.ok["startup"] = False
        await clock.sleep(9)
        assert one.state.failed == ""
        await clock.sleep(3)
        assert one.state.failed == "startup"
        assert not one.state.started

    story(told, with_(STARTUP, periodSeconds=5, failureThreshold=3), READINESS)


def test_of_a_pod_that_ends_only_readiness_is_asked_for() -> None:
    """B13."""

    async def told(one: ContainerProbes, prober: Scripted, clock: LoopClock) -> None:
        await clock.sleep(15)
        one.end_restarts()
        prober.ok = dict.fromkeys(prober.ok, False)
        await clock.sleep(100)
        assert one.state.failed == ""
        assert not is_ready(one)
        assert max(prober.times("liveness")) < 16
        assert max(prober.times("readiness")) > 90

    story(told, READINESS, LIVENESS)


def test_the_first_probe_is_not_later_for_a_clock_that_was_set_back() -> None:
    """B10: a container that started in what is the future now is asked after initialDelaySeconds."""

    class SetBack(LoopClock):
        def now(self) -> float:
            return super().now() - 3600

    async def main() -> None:
        prober = Scripted()
        one = ContainerProbes(
            with_(READINESS, initialDelaySeconds=7), Target("id", "10.0.0.2", {}), prober,
            started_at=LoopClock().now(), clock=SetBack(), entropy=SeededEntropy(1),
            changed=lambda: None, told=lambda _, __: None,
        )  # fmt: skip
        running = asyncio.create_task(one.run())
        await asyncio.sleep(30)
        assert prober.times("readiness")[0] == 7
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main())
