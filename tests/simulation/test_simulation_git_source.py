"""When a repository is asked: intervals, back-off, hints, under virtual time. Its server is a list of answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import LoopClock, SeededEntropy, run_virtual
from reconciler.errors import SourceError
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.source.git import GitSource, schedule
from reconciler.gitops.source.git.clone import CorruptError

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Server:
    """Answers with ``revision``, or with ``trouble`` where there is any; notes when it was asked."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.revision = "one"
        self.on_disk = ""
        self.trouble: Exception | None = None
        self.asked: list[float] = []
        self.repaired = 0
        self.takes = 0.0
        self._busy = False

    async def current(self) -> str:
        return self.on_disk

    async def fetch(self) -> str:
        assert not self._busy, "two looks at once"
        self._busy = True
        self.asked.append(self.clock.monotonic())
        await self.clock.sleep(self.takes)
        self._busy = False
        if self.trouble is not None:
            raise self.trouble
        return self.revision

    async def read(self, revision: str) -> Snapshot:
        return Snapshot(revision, {"a.yaml": File("a.yaml", revision, revision.encode())})

    async def other(self, name: str) -> Snapshot:
        return await self.read(name)

    async def repair(self) -> str:
        self.repaired += 1
        self.trouble = None
        return self.revision


def world(interval: float = 60) -> tuple[Server, GitSource]:
    clock = LoopClock()
    server = Server(clock)
    return server, GitSource(server, interval=interval, clock=clock, entropy=SeededEntropy(1))


def story(told: Coroutine[None, None, None]) -> None:
    run_virtual(told)


async def followed(source: GitSource, seen: list[str]) -> None:
    while True:
        await source.changed()
        seen.append((await source.snapshot()).revision)


def test_the_server_is_asked_once_an_interval_with_jitter() -> None:
    async def told() -> None:
        server, source = world()
        await source.snapshot()
        task = asyncio.create_task(followed(source, []))
        await server.clock.sleep(3600)
        task.cancel()
        gaps = [b - a for a, b in zip(server.asked, server.asked[1:], strict=False)]
        assert all(60 <= gap <= 66.0001 for gap in gaps), gaps
        assert len({round(gap, 3) for gap in gaps}) > 10, "every wait is the same"

    story(told())


def test_failures_back_off_and_say_what_and_since_when_once() -> None:
    async def told() -> None:
        server, source = world()
        await source.snapshot()
        seen: list[str] = []
        task = asyncio.create_task(followed(source, seen))
        await server.clock.sleep(100)
        server.trouble, server.asked = SourceError("the server is away"), []
        await server.clock.sleep(3600)
        gaps = [round(b - a) for a, b in zip(server.asked, server.asked[1:], strict=False)]
        assert gaps[:4] == sorted(gaps[:4])
        assert 2 <= gaps[0] <= 3
        assert 120 <= max(gaps) <= 132
        assert len(server.asked) < 45
        stale = (await source.snapshot()).stale
        assert stale.startswith("the server is away (since 2023-11-14T22:1")
        assert seen == ["one"], "the same trouble was told more than once"
        server.trouble, server.revision = None, "two"
        await server.clock.sleep(140)
        assert seen == ["one", "two"]
        assert (await source.snapshot()).stale == ""
        task.cancel()

    story(told())


def test_a_hint_is_a_look_at_once_and_a_flood_of_them_one_a_second() -> None:
    async def told() -> None:
        server, source = world(3600)
        await source.snapshot()
        task = asyncio.create_task(followed(source, []))
        await server.clock.sleep(100)
        server.asked = []
        source.hint()
        await server.clock.sleep(0.001)
        assert len(server.asked) == 1
        server.revision = "two"
        source.hint()
        await server.clock.sleep(1.1)
        assert (await source.snapshot()).hinted
        server.asked = []
        for _ in range(1000):
            source.hint()
            await server.clock.sleep(0.01)
        assert 9 <= len(server.asked) <= 12
        task.cancel()

    story(told())


def test_a_hint_during_a_look_is_another_look() -> None:
    async def told() -> None:
        server, source = world(3600)
        await source.snapshot()
        seen: list[str] = []
        task = asyncio.create_task(followed(source, seen))
        server.takes = 5
        await server.clock.sleep(10)
        source.hint()
        await server.clock.sleep(1)
        source.hint()
        server.takes = 0
        await server.clock.sleep(10)
        assert len(server.asked) == 3
        task.cancel()

    story(told())


def test_who_asks_for_a_sync_gets_what_is_there_now() -> None:
    async def told() -> None:
        server, source = world(3600)
        assert (await source.snapshot()).revision == "one"
        server.revision = "two"
        assert (await source.snapshot()).revision == "one"
        source.refresh()
        assert (await source.snapshot()).revision == "two"
        assert len(server.asked) == 2

    story(told())


def test_a_start_without_the_server_goes_on_with_what_is_on_disk() -> None:
    async def told() -> None:
        server, source = world()
        server.on_disk, server.trouble = "old", SourceError("away")
        assert await source.snapshot() == await server.read("old")
        assert server.asked == []
        await source.changed()
        assert (await source.snapshot()).stale.startswith("away (since ")

    story(told())


def test_a_start_without_the_server_says_so_whoever_looks_first() -> None:
    async def told() -> None:
        server, source = world()
        server.on_disk, server.trouble = "old", SourceError("away")
        await source.changed()
        found = await source.snapshot()
        assert found.revision == "old"
        assert found.stale.startswith("away (since ")

    story(told())


def test_without_anything_on_disk_the_trouble_is_raised_and_not_asked_about_again() -> None:
    async def told() -> None:
        server, source = world()
        server.trouble = SourceError("away")
        for _ in range(5):
            with pytest.raises(SourceError, match="away"):
                await source.snapshot()
        assert len(server.asked) == 1
        server.trouble = None
        await source.changed()
        assert (await source.snapshot()).revision == "one"

    story(told())


def test_what_a_hint_told_of_is_its_even_where_its_own_look_failed_or_another_was_under_way() -> (
    None
):
    async def told() -> None:
        server, source = world()
        await source.snapshot()
        task = asyncio.create_task(followed(source, []))
        await server.clock.sleep(10)
        server.trouble, server.revision = SourceError("just now not"), "two"
        source.hint()
        await server.clock.sleep(1)
        server.trouble = None
        await server.clock.sleep(30)
        assert (await source.snapshot())[::5] == ("two", True)

        server.takes, server.revision = 5, "three"
        source.refresh()
        looking = asyncio.create_task(source.snapshot())
        await server.clock.sleep(1)
        source.hint()
        assert (await looking)[::5] == ("three", True)
        await server.clock.sleep(20)
        server.revision = "four"
        await server.clock.sleep(120)
        assert (await source.snapshot())[::5] == ("four", False)
        task.cancel()

    story(told())


def test_nobody_looks_again_because_somebody_else_has_just_looked() -> None:
    async def told() -> None:
        server, source = world()
        task = asyncio.create_task(followed(source, []))
        await asyncio.sleep(0)
        await source.snapshot()
        await server.clock.sleep(30)
        task.cancel()
        assert len(server.asked) == 1

    story(told())


def test_a_damaged_clone_is_made_anew_in_the_same_look() -> None:
    async def told() -> None:
        server, source = world()
        await source.snapshot()
        server.revision, server.trouble = "two", CorruptError("the clone is damaged")
        source.refresh()
        assert (await source.snapshot()).revision == "two"
        assert server.repaired == 1

    story(told())


@given(st.floats(1, 86400), st.integers(0, 10_000), st.floats(0, 1))
def test_waits_are_bounded_and_grow_with_failures(
    interval: float, failures: int, chance: float
) -> None:
    wait = schedule.wait(interval, failures, chance)
    assert 1 <= wait <= 1.1 * max(interval, schedule.LONGEST_RETRY)
    assert schedule.wait(interval, failures + 1, chance) >= wait or failures == 0
