"""A watcher that is cancelled while a change arrives must end: a daemon could not stop otherwise."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.registry.watches import Change, Watches


async def test_a_cancellation_that_comes_with_a_change_is_not_lost() -> None:
    watches = Watches()
    watcher = watches.subscribe("", "Pod", "", 0)

    async def follow() -> None:
        while True:
            await watcher.wait(60)
            watcher.take()

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    obj = {"metadata": {"name": "a", "resourceVersion": "1"}}
    watches.publish(Change(1, "", "Pod", "default", None, obj, obj))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await task
