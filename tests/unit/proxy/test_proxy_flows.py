"""What is under way to an endpoint holds its end back: requests until they are over, plain connections while bytes move."""

from __future__ import annotations

import asyncio

from reconciler.clock import LoopClock, run_virtual
from reconciler.proxy.flows import QUIET_SECONDS, Flows
from reconciler.proxy.listeners import Endpoint

HERE, THERE = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


def test_an_endpoint_without_flows_is_settled_at_once() -> None:
    async def story() -> None:
        clock = LoopClock()
        flows = Flows(clock)
        flows.open(THERE)
        before = clock.monotonic()
        assert await flows.settled(HERE.address, 60)
        assert clock.monotonic() == before

    run_virtual(story())


def test_a_request_is_waited_for_and_what_comes_later_is_not() -> None:
    async def story() -> None:
        clock = LoopClock()
        flows = Flows(clock)
        first = flows.open(HERE)
        waiting = asyncio.create_task(flows.settled(HERE.address, 60))
        await clock.sleep(5)
        assert not waiting.done()
        flows.open(HERE)
        flows.close(first)
        assert await waiting
        assert clock.monotonic() < 6

    run_virtual(story())


def test_a_connection_is_waited_for_while_bytes_move() -> None:
    async def story() -> None:
        clock = LoopClock()
        flows = Flows(clock)
        flow = flows.open(HERE, stream=True)
        waiting = asyncio.create_task(flows.settled(HERE.address, 60))
        for _ in range(10):
            await clock.sleep(QUIET_SECONDS / 2)
            flows.touch(flow)
        assert not waiting.done()
        assert await waiting
        assert len(flows) == 1, "a quiet connection stays open until its endpoint ends it"

    run_virtual(story())


def test_waiting_ends_with_its_time() -> None:
    async def story() -> None:
        clock = LoopClock()
        flows = Flows(clock)
        with flows.request(HERE):
            assert not await flows.settled(HERE.address, 28)
        assert 28 <= clock.monotonic() < 29
        assert not len(flows)

    run_virtual(story())
