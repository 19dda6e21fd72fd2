"""When a key comes back: at once, or after a rest in which all that happens is gathered."""

from __future__ import annotations

import asyncio

from reconciler.api.objects import Key
from reconciler.clock import run_virtual
from reconciler.control.queue import WorkQueue

ONE, OTHER = Key("", "Pod", "default", "one"), Key("", "Pod", "default", "other")


def test_what_changes_while_a_key_is_worked_on_is_worked_on_afterwards() -> None:
    async def main() -> None:
        queue = WorkQueue()
        queue.add(ONE)
        assert await queue.get() == ONE
        queue.add(ONE)
        queue.add(OTHER)
        assert await queue.get() == OTHER  # never two workers on one key
        queue.done(ONE)
        assert await queue.get() == ONE

    run_virtual(main())


def test_a_key_at_rest_gathers_changes_and_holds_up_nobody() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        queue = WorkQueue()
        queue.add(ONE)
        await queue.get()
        queue.done(ONE, rest=2.0)
        began = loop.time()
        for _ in range(100):
            queue.add(ONE)
        queue.add(OTHER)
        assert not queue.idle
        assert await queue.get() == OTHER
        assert await queue.get() == ONE
        assert loop.time() - began == 2.0
        queue.done(ONE)
        queue.done(OTHER)
        assert queue.idle  # a hundred changes, one look

    run_virtual(main())


def test_a_key_that_has_rested_is_taken_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        queue = WorkQueue()
        queue.add(ONE)
        await queue.get()
        queue.done(ONE, rest=2.0)
        await asyncio.sleep(5)
        began = loop.time()
        queue.add(ONE)
        assert await queue.get() == ONE
        assert loop.time() == began

    run_virtual(main())


def test_a_key_is_not_lost_with_a_worker_that_ends_as_it_comes() -> None:
    async def main() -> None:
        queue = WorkQueue()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        queue.add(ONE)  # wakes the first
        first.cancel()
        assert await asyncio.wait_for(second, 1) == ONE
        assert first.cancelled()

    run_virtual(main())


def test_one_key_wakes_one_worker_and_many_wake_as_many() -> None:
    async def main() -> None:
        queue = WorkQueue()
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.add(ONE)
        queue.add(OTHER)
        done, waiting = await asyncio.wait(workers, timeout=1)
        assert {task.result() for task in done} == {ONE, OTHER}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run_virtual(main())
