"""A directory as a source: watched for hints, looked through for the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirModifiedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from reconciler.errors import SourceError
from reconciler.gitops.source.scan import Scanner

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.observers.api import BaseObserver, ObservedWatch

    from reconciler.clock import Clock
    from reconciler.gitops.source.snapshot import Snapshot

log = structlog.get_logger(__name__)

_CHANGES: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirModifiedEvent, DirMovedEvent,
    FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent,
]  # fmt: skip
#: Editors write in several steps: a hint waits for so long for the next one, in seconds.
SETTLE_SECONDS = 0.02
#: So often it is looked whether the root is still the directory that is watched, in seconds.
ROOT_SECONDS = 1.0
#: Hints of more files than this are answered by looking at all.
FEW_FILES = 256

Identity = tuple[int, int]


class _Handler(FileSystemEventHandler):
    """Passes a hint from watchdog's thread to the loop."""

    def __init__(self, root: str, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._root = root
        self._loop = loop
        self._changed = changed
        self._touched: set[str] = set()
        self._unclear = False
        self.root_gone = False

    def take(self) -> set[str] | None:
        """Return the files touched since the last call, as paths below the root; None where more may have moved."""
        touched, self._touched = self._touched, set()
        unclear, self._unclear = self._unclear or self.root_gone, False
        return None if unclear or len(touched) > FEW_FILES else touched

    def on_any_event(self, event: FileSystemEvent) -> None:
        paths = [os.fsdecode(p) for p in (event.src_path, event.dest_path) if p]
        if event.event_type in ("deleted", "moved") and paths[0] == self._root:
            self.root_gone = (
                True  # inotify watches an inode: made again, it may even have the same number
            )
        if all(self._is_hidden(p) for p in paths):
            return
        if event.is_directory and event.event_type != "modified":
            self._unclear = True
        elif not event.is_directory:
            self._touched.update(p.removeprefix(self._root).lstrip("/") for p in paths)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._changed.set)

    def look_at_all(self) -> None:
        """Tell that something moved that is no file below the root."""
        self._unclear = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)

    def _is_hidden(self, path: str) -> bool:
        """Whether a path lies in a directory, or is a file, that is not read: ``.git``, an editor's swap file."""
        return "/." in path.removeprefix(self._root)


class _Around(FileSystemEventHandler):
    """Passes hints of a folder beside the root."""

    def __init__(self, handler: _Handler, folder: str) -> None:
        self._handler = handler
        self._folder = folder

    def on_any_event(self, event: FileSystemEvent) -> None:
        paths = [os.fsdecode(p) for p in (event.src_path, event.dest_path) if p]
        if not all("/.git/" in p.removeprefix(self._folder) for p in paths):
            self._handler.look_at_all()


class DirectorySource:
    """The manifests below a directory, or one file."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock,
        rescan_seconds: float = 30.0,
        everything: bool = False,
        within: Path | None = None,
    ) -> None:
        """``within``: the folder in which its kustomizations may name others; None: the git checkout that holds it."""
        self._root = root
        self._clock = clock
        self._rescan_seconds = rescan_seconds
        self._scanner = Scanner(root, everything=everything, within=within)
        self._around: dict[str, ObservedWatch] = {}
        self._hint = asyncio.Event()
        self._taken = asyncio.Event()  # a snapshot was taken since a change was told last
        self._observer: BaseObserver | None = None
        self._handler: _Handler | None = None
        self._watched: Identity | None = None
        self._seen: Identity | None = None
        self._look_at_all = True

    async def snapshot(self) -> Snapshot:
        """Read what changed. Raises ``SourceError`` when the root cannot be read.

        After hints of single files only those are looked at (decision 7); everything is after a slow look around,
        when it is asked for, and whenever it is not certain what moved.
        """
        hinted = self._hint.is_set()
        self._hint.clear()
        self._taken.set()
        # Watch first: what changes while we read is not missed.
        self._watch()
        touched = self._handler.take() if self._handler is not None else None
        if not hinted or self._look_at_all:
            touched = None
        self._look_at_all = False
        found = self._scanner.scan(touched)
        if self._watch_around():
            # What changed there before it was watched is not missed.
            found = self._scanner.scan()
        return found

    async def changed(self) -> None:
        """Return after a hint, when the root is another one, or after a slow look around.

        Only ``snapshot`` takes a hint away: a caller that gives up waiting loses none. Until one is taken the same
        change is told again once a second.
        """
        await self._within(self._taken, ROOT_SECONDS)
        until = self._clock.monotonic() + self._rescan_seconds
        while not self._hint.is_set():
            left = until - self._clock.monotonic()
            if left <= 0 or self._identity() != self._seen:
                self._look_at_all = True
                break
            await self._within(self._hint, min(left, ROOT_SECONDS))
        await self._clock.sleep(SETTLE_SECONDS)
        self._taken.clear()

    def refresh(self) -> None:
        """Let the next snapshot look at everything."""
        self._look_at_all = True

    async def at(self, revision: str) -> Snapshot:
        """Refuse: a directory is what it is now."""
        raise SourceError(
            f"a directory has no revision {revision!r}: only what a git repository holds can be asked for"
        )

    @staticmethod
    async def _within(event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def close(self) -> None:
        self._unwatch()

    def _identity(self) -> Identity | None:
        try:
            info = self._root.stat()
        except OSError:
            return None
        return (info.st_dev, info.st_ino)

    def _watch(self) -> None:
        """Watch the root as it is now: it may have been deleted and made again."""
        self._seen = identity = self._identity()
        if identity is None:
            self._unwatch()
            return
        directory = self._root.is_dir()
        if self._is_watching() and (self._watched == identity or not directory):
            return
        self._unwatch()
        self._look_at_all = True
        # A file is watched through its directory: editors put a new one in its place.
        where = str(self._root if directory else self._root.parent)
        observer = Observer()
        handler = _Handler(where, asyncio.get_running_loop(), self._hint)
        try:
            observer.schedule(handler, where, recursive=directory, event_filter=_CHANGES)
            observer.start()
        except OSError as error:
            # Out of inotify watches: the slow look around has to do.
            log.warning("directory is not watched", path=str(self._root), error=str(error))
            return
        self._observer, self._handler, self._watched = observer, handler, identity

    def _watch_around(self) -> bool:
        """Watch the folders beside the root that are built on; returns whether that is new of one."""
        if self._observer is None or self._handler is None:
            return False
        wanted = set(self._scanner.beside)
        for folder in self._around.keys() - wanted:
            self._observer.unschedule(self._around.pop(folder))
        new = wanted - self._around.keys()
        for folder in new:
            around = _Around(self._handler, folder)
            try:
                self._around[folder] = self._observer.schedule(
                    around, folder, recursive=True, event_filter=_CHANGES
                )
            except OSError as error:
                log.warning("directory is not watched", path=folder, error=str(error))
        return bool(new & self._around.keys())

    def _is_watching(self) -> bool:
        observer, handler = self._observer, self._handler
        return (
            observer is not None
            and handler is not None
            and not handler.root_gone
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def _unwatch(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
        self._observer = self._handler = self._watched = None
        self._around = {}
