"""A git repository as a source: asked now and then, or when somebody says that it changed.

What cannot be fetched, or may not be used, leaves the last good snapshot in place; it says what is wrong and since when.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from reconciler.clock import rfc3339
from reconciler.errors import SourceError
from reconciler.gitops.source.git import schedule
from reconciler.gitops.source.git.clone import CorruptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock, Entropy
    from reconciler.gitops.source.snapshot import Snapshot

log = structlog.get_logger(__name__)

#: Hints make a look at most so often, in seconds: a flood of webhooks is one look a second.
SHORTEST_GAP = 1.0


class Repository(Protocol):
    """What a source follows. Every call may raise ``SourceError``; never two at once."""

    async def current(self) -> str:
        """Return the accepted revision that is on disk, or an empty text."""
        ...

    async def fetch(self) -> str:
        """Ask the server; return the revision that is to be."""
        ...

    async def read(self, revision: str) -> Snapshot:
        """Return a revision's files."""
        ...

    async def repair(self) -> str:
        """Make the clone anew, and fetch."""
        ...

    async def other(self, name: str) -> Snapshot:
        """Return the files of another revision than the one that is followed."""
        ...


class GitSource:
    """Follows one repository."""

    def __init__(
        self,
        repository: Repository,
        *,
        interval: float,
        clock: Clock,
        entropy: Entropy,
        name: str = "",
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        """``interval`` in seconds; ``turns`` bounds how many sources work at once."""
        self._repository = repository
        self._interval = interval
        self._clock = clock
        self._entropy = entropy
        self._name = name
        self._turns = turns or asyncio.Semaphore()
        self._lock = asyncio.Lock()
        self._hint = asyncio.Event()
        self._asked = False
        self._hinted = False
        self._opened = False
        self._last: Snapshot | None = None
        self._trouble = ""
        self._since = 0.0
        self._failures = 0
        self._next = 0.0
        self._looked = -SHORTEST_GAP

    async def snapshot(self) -> Snapshot:
        """Return the last good revision. Raises ``SourceError`` while there is none."""
        if not self._opened:
            await self._open()
        if self._is_asked():
            await self._look(self._is_asked)
        if self._last is None:
            raise SourceError(self._trouble)
        return self._last

    def hint(self) -> None:
        """Look soon: somebody says that the repository changed."""
        self._hint.set()

    def refresh(self) -> None:
        """Let the next snapshot look first."""
        self._asked = True

    async def changed(self) -> None:
        """Look whenever it is time, and return when there is something else to be said."""
        # What is on disk comes first: what is said of the server is said of that.
        if not self._opened:
            await self._open()
        while True:
            await self._due()
            before = (self._last, self._trouble)
            await self._look(self._is_due)
            if (self._last, self._trouble) != before:
                return

    async def at(self, revision: str) -> Snapshot:
        """Ask the server for a branch, a tag or a commit, and read it. Raises ``SourceError``."""
        async with self._lock, self._turns:
            try:
                return await self._repository.other(revision)
            except OSError as error:
                where = error.filename or "state directory"
                raise SourceError(f"{where}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is open between two looks."""

    async def _due(self) -> None:
        while True:
            left = self._next - self._clock.monotonic()
            if left > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._hint.wait()
            gap = self._looked + SHORTEST_GAP - self._clock.monotonic()
            if gap > 0:
                await self._clock.sleep(gap)
            # Somebody else may have looked meanwhile.
            if self._is_due():
                return

    def _is_asked(self) -> bool:
        return self._asked or (self._last is None and not self._failures)

    def _is_due(self) -> bool:
        return self._hint.is_set() or self._clock.monotonic() >= self._next

    async def _open(self) -> None:
        """Take what is on disk: a daemon that starts while the server is away goes on with what it had."""
        async with self._lock, self._turns:
            if self._opened:
                return
            self._opened = True
            try:
                revision = await self._repository.current()
                if revision:
                    self._last = await self._repository.read(revision)
            except (SourceError, OSError) as error:
                log.warning("clone cannot be used", source=self._name, error=str(error))

    async def _look(self, needed: Callable[[], bool]) -> None:
        """Ask once, and note when to ask again; not where somebody else has just done so, and it is not ``needed`` any more."""
        async with self._lock:
            if not needed():
                return
            self._hinted = self._hinted or self._hint.is_set()
            self._hint.clear()
            self._asked = False
            self._looked = self._clock.monotonic()
            try:
                async with self._turns:
                    snapshot = await self._newest()
            except SourceError as error:
                self._failed(str(error))
            except OSError as error:
                self._failed(f"{error.filename or 'state directory'}: {error.strerror or error}")
            else:
                self._succeeded(snapshot)
            wait = schedule.wait(self._interval, self._failures, self._entropy.uniform(0, 1))
            self._next = self._clock.monotonic() + wait

    async def _newest(self) -> Snapshot:
        repository = self._repository
        try:
            revision = await repository.fetch()
            if self._last is not None and self._last.revision == revision:
                return self._last
            return await repository.read(revision)
        except CorruptError as error:
            log.warning("clone is made anew", source=self._name, error=str(error))
            return await repository.read(await repository.repair())

    def _succeeded(self, snapshot: Snapshot) -> None:
        # A hint that came while this was looked for may well have been about it; and so one whose own look has failed.
        hinted, self._hinted = self._hinted or self._hint.is_set(), False
        if self._failures:
            log.info("source can be read again", source=self._name, revision=snapshot.revision)
        self._failures, self._trouble = 0, ""
        if snapshot is not self._last:
            snapshot = snapshot._replace(hinted=hinted)
        self._last = snapshot._replace(stale="") if snapshot.stale else snapshot

    def _failed(self, what: str) -> None:
        if not self._failures:
            self._since = self._clock.now()
        self._failures += 1
        trouble = f"{what} (since {rfc3339(self._since)})"
        if trouble == self._trouble:
            return
        log.warning("source cannot be read", source=self._name, error=what)
        self._trouble = trouble
        if self._last is not None:
            self._last = self._last._replace(stale=trouble)
