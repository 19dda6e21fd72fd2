"""One sync: a plan is applied within a deadline, and what came of it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import revision_of
from reconciler.gitops.apply import Result, apply
from reconciler.gitops.engine import desired, rolls

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.comparing import Comparer
    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.plan import Plan

#: So many refused objects are told in a message.
TOLD_FAILURES = 5


class Synced(NamedTuple):
    """What came of a sync. ``interrupted``: it was given up, since something newer is wanted."""

    results: list[Result]
    interrupted: bool

    @property
    def failed(self) -> list[Result]:
        return [r for r in self.results if r.error]

    @property
    def passing(self) -> bool:
        """Whether all that failed may pass by itself: the API is not to be had, a disk is full."""
        begun = [r for r in self.failed if r.started]
        return bool(begun) and all(r.passing for r in begun)

    @property
    def message(self) -> str:
        """Say what was done, or what was refused."""
        if self.failed:
            return "; ".join(f"{r.change.key}: {r.error}" for r in self.failed[:TOLD_FAILURES])
        done = [r.change.action for r in self.results]
        return (
            f"{done.count('create')} created, {done.count('update')} updated, "
            f"{done.count('prune')} pruned"
        )


class Syncer:
    """Applies plans of one Application.

    ``write`` writes its status; ``waiting`` is called again and again while a sync waits, to report how it stands.
    """

    def __init__(
        self,
        shared: Shared,
        name: str,
        comparer: Comparer,
        interrupted: asyncio.Event,
        write: Callable[[], Awaitable[None]],
        waiting: Callable[[], Awaitable[None]],
    ) -> None:
        self._shared = shared
        self._name = name
        self._comparer = comparer
        self._interrupted = interrupted
        self._write = write
        self._waiting = waiting

    async def sync(
        self, found: Plan, wanted: Mapping[Key, desired.Wanted], deadline: float
    ) -> Synced:
        """Apply a plan; ``deadline`` is on the monotonic clock. Returns when the cache shows what was written."""

        async def live(key: Key) -> Object | None:
            kind = wanted[key].kind if key in wanted else kinds.lookup(key.group, key.kind)
            return await self._comparer.live(key, kind) if kind is not None else None

        def applied(result: Result) -> None:
            key = result.change.key
            if not result.error and result.object is not None and key in wanted:
                self._comparer.applied(key, wanted[key], result.object)

        if rolls.configs(found.changes):
            await self._announce()
        done = await apply(
            found, self._shared.client, manager=desired.manager_of(self._name), live=live,
            clock=self._shared.clock, deadline=deadline, interrupted=self._interrupted,
            applied=applied, waiting=self._waiting,
        )  # fmt: skip
        for result in done.results:
            if result.object is not None and result.change.key in wanted:
                revision = int(result.object["metadata"].get("resourceVersion") or 0)
                await self._shared.cache.reached(wanted[result.change.key].kind, revision)
        return Synced(*done)

    async def _announce(self) -> None:
        """Let everybody see that a sync is under way: it rolls the readers of what it changes, nobody else does."""
        await self._write()
        app = await self._shared.client.get(kinds.APPLICATION, self._name)
        await self._shared.cache.reached(kinds.APPLICATION, revision_of(app))
