"""A directory as a source: watched for hints, looked through for the truth."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from reconciler.gitops.source.scan import Scanner

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

    from reconciler.clock import Clock
    from reconciler.gitops.source.snapshot import Snapshot

log = structlog.get_logger(__name__)

_CHANGES = frozenset({"created", "modified", "deleted", "moved", "closed"})
#: Editors write in several steps: a hint waits for so long for the next one, in seconds.
SETTLE_SECONDS = 0.05


class _Handler(FileSystemEventHandler):
    """Passes a hint from watchdog's thread to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._loop = loop
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _CHANGES:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._changed.set)


class DirectorySource:
    """The manifests below a directory, or one file."""

    def __init__(self, root: Path, *, clock: Clock, rescan_seconds: float = 30.0) -> None:
        self._root = root
        self._clock = clock
        self._rescan_seconds = rescan_seconds
        self._scanner = Scanner(root)
        self._hint = asyncio.Event()
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._last = ""

    async def snapshot(self) -> Snapshot:
        """Read what changed. Raises ``SourceError`` when the root cannot be read."""
        self._hint.clear()
        # Watch first: what changes while we read is not missed.
        self._watch()
        found = self._scanner.scan()
        self._last = found.revision
        return found

    async def changed(self) -> None:
        """Return after a hint, or after a slow look around."""
        try:
            async with asyncio.timeout(self._rescan_seconds):
                await self._hint.wait()
        except TimeoutError:
            return
        self._hint.clear()
        await self._clock.sleep(SETTLE_SECONDS)

    async def close(self) -> None:
        self._unwatch()

    def _watch(self) -> None:
        """Watch the root as it is now: it may have been deleted and made again."""
        try:
            info = self._root.stat()
        except OSError:
            self._unwatch()
            return
        identity = (info.st_dev, info.st_ino)
        if self._watched == identity and self._observer is not None and self._observer.is_alive():
            return
        self._unwatch()
        observer = Observer()
        handler = _Handler(asyncio.get_running_loop(), self._hint)
        try:
            where = self._root if self._root.is_dir() else self._root.parent
            observer.schedule(handler, str(where), recursive=self._root.is_dir())
            observer.start()
        except OSError as error:
            # Out of inotify watches: the slow look around has to do.
            log.warning("directory is not watched", path=str(self._root), error=str(error))
            return
        self._observer, self._watched = observer, identity

    def _unwatch(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
        self._observer = self._watched = None
