"""Who watches what: a window of recent changes, and the watchers that follow it.

A watcher that starts at an older revision replays the window first. A revision before the window, or a watcher that
falls too far behind, ends in ``Gone``: list again (W01, W03).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import Gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object


class Change(NamedTuple):
    """One committed write: the object before (None: created) and after (None: deleted).

    ``last`` is what a DELETED event shows: the object at the revision of its deletion.
    """

    revision: int
    group: str
    kind: str
    namespace: str
    before: Object | None
    after: Object | None
    last: Object


class Watcher:
    """One reader's queue of changes of one kind."""

    def __init__(self, group: str, kind: str, namespace: str, limit: int) -> None:
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self._limit = limit
        self._changes: deque[Change] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._lost = False

    def wants(self, change: Change) -> bool:
        return (
            change.kind == self.kind
            and change.group == self.group
            and (not self.namespace or change.namespace == self.namespace)
        )

    def push(self, change: Change) -> None:
        if len(self._changes) >= self._limit:
            self._lost = True
            self._changes.clear()
        elif not self._lost:
            self._changes.append(change)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take(self) -> list[Change]:
        """Return what has arrived, without waiting. Raises ``Gone`` when something was lost."""
        if self._lost:
            raise Gone("the watch fell too far behind: list again")
        taken = list(self._changes)
        self._changes.clear()
        return taken

    async def wait(self, seconds: float | None = None) -> None:
        """Return when something has arrived, or after ``seconds``."""
        if self._changes or self._lost:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            # Not wait_for: on Python 3.11 that loses a cancellation which comes together with a change.
            async with asyncio.timeout(seconds):
                await self._waiting
        except TimeoutError:
            pass
        finally:
            self._waiting = None


class Watches:
    """The window of recent changes and everyone who follows it."""

    def __init__(self, window: int = 20_000, limit: int = 50_000) -> None:
        self._window: deque[Change] = deque(maxlen=window)
        self._limit = limit
        self._oldest = 0  # every change after this revision is in the window
        self._watchers: dict[tuple[str, str], list[Watcher]] = {}

    def reset(self, revision: int) -> None:
        """Forget the past: changes up to ``revision`` cannot be replayed."""
        self._window.clear()
        self._oldest = revision

    def compact(self, revision: int) -> None:
        """Drop changes up to a revision."""
        while self._window and self._window[0].revision <= revision:
            self._window.popleft()
        self._oldest = max(self._oldest, revision)

    def publish(self, change: Change) -> None:
        if len(self._window) == self._window.maxlen:
            self._oldest = self._window[0].revision
        self._window.append(change)
        for watcher in self._watchers.get((change.group, change.kind), ()):
            if not watcher.namespace or watcher.namespace == change.namespace:
                watcher.push(change)

    def subscribe(self, group: str, kind: str, namespace: str, since: int) -> Watcher:
        """Return a watcher that has what happened after ``since``. Raises ``Gone`` when that is not known any more."""
        if since < self._oldest:
            raise Gone(f"too old resource version: {since} ({self._oldest})")
        watcher = Watcher(group, kind, namespace, self._limit)
        for change in self._after(since):
            if watcher.wants(change):
                watcher.push(change)
        self._watchers.setdefault((group, kind), []).append(watcher)
        return watcher

    def _after(self, since: int) -> Iterator[Change]:
        recent: list[Change] = []
        for change in reversed(self._window):
            if change.revision <= since:
                break
            recent.append(change)
        return reversed(recent)

    def unsubscribe(self, watcher: Watcher) -> None:
        watchers = self._watchers.get((watcher.group, watcher.kind), [])
        if watcher in watchers:
            watchers.remove(watcher)
