"""The durable store: one append-only table of revisions in SQLite, as kine keeps etcd's.

One thread owns the connection. Appends that arrive while it is busy are committed together by its next transaction,
so the price of an fsync is shared (group commit). WAL with ``synchronous=FULL``: what ``append`` has acknowledged
survives SIGKILL and power loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from reconciler.errors import StoreError
from reconciler.store.protocol import Contents, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")

#: ``PRAGMA application_id``: "rcl1". A database with another one is not ours.
APPLICATION_ID = 0x72636C31
#: ``PRAGMA user_version``: the format. A higher one was written by a newer version.
FORMAT = 1

_SCHEMA = (
    "CREATE TABLE revisions (revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, PRIMARY KEY (revision, key)) WITHOUT ROWID",
    "CREATE INDEX revisions_by_key ON revisions (key, revision DESC)",
    "CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


class _Job(NamedTuple):
    """Work for the thread: records to append, or a function over the connection."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    records: list[Record] | None
    call: Callable[[sqlite3.Connection], Any] | None


class SqliteStore:
    """A store in one file, 0600, with its ``-wal`` beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._compacted = 0

    async def open(self) -> Contents:
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()
        try:
            contents: Contents = await self._call(self._read)
        except BaseException:
            await self.close()
            raise
        self._compacted = contents.compacted
        return contents

    async def append(self, records: Iterable[Record]) -> None:
        await self._submit(list(records), None)

    async def since(self, revision: int) -> list[Record]:
        if revision < self._compacted:
            raise StoreError(
                f"revision {revision} is compacted; the oldest kept is {self._compacted}"
            )
        rows = await self._call(
            lambda db: db.execute(
                "SELECT revision, key, value FROM revisions WHERE revision > ? ORDER BY revision",
                (revision,),
            ).fetchall()
        )
        return [Record(*row) for row in rows]

    async def compact(self, revision: int) -> None:
        def work(db: sqlite3.Connection) -> None:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute(
                    "DELETE FROM revisions WHERE revision <= ?1 AND EXISTS (SELECT 1 FROM revisions AS newer"
                    " WHERE newer.key = revisions.key AND newer.revision > revisions.revision AND newer.revision <= ?1)",
                    (revision,),
                )
                db.execute(
                    "DELETE FROM revisions WHERE revision <= ? AND value IS NULL", (revision,)
                )
                db.execute("INSERT OR REPLACE INTO state VALUES ('compacted', ?)", (revision,))

        await self._call(work)
        self._compacted = max(self._compacted, revision)

    async def backup(self, path: Path) -> None:
        def work(db: sqlite3.Connection) -> None:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with contextlib.closing(sqlite3.connect(path)) as target:
                db.backup(target)

        await self._call(work)

    async def check(self) -> None:
        def work(db: sqlite3.Connection) -> None:
            checked = (
                "INSERT INTO state VALUES ('checked', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute(checked)

        await self._call(work)

    def size(self) -> int:
        sizes = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                sizes += self._path.with_name(self._path.name + suffix).stat().st_size
        return sizes

    async def close(self) -> None:
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    async def _call(self, call: Callable[[sqlite3.Connection], T]) -> T:
        return await self._submit(None, call)  # type: ignore[no-any-return]

    async def _submit(
        self, records: list[Record] | None, call: Callable[[sqlite3.Connection], Any] | None
    ) -> Any:
        if self._thread is None:
            raise StoreError(f"{self._path}: the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Job(loop, future, records, call))
        return await asyncio.shield(future)

    # Everything below runs in the thread.

    def _work(self) -> None:
        db: sqlite3.Connection | None = None
        closing = False
        while not closing:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while True:
                if job is None:
                    closing = True
                else:
                    jobs.append(job)
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            try:
                db = db or self._connect()
            except (sqlite3.Error, OSError, StoreError) as error:
                for job in jobs:
                    _answer(job, None, self._error(error))
                continue
            self._serve(db, jobs)
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    def _serve(self, db: sqlite3.Connection, jobs: list[_Job]) -> None:
        """Answer jobs in order, consecutive appends in one transaction."""
        start = 0
        while start < len(jobs):
            end = start
            while end < len(jobs) and jobs[end].records is not None:
                end += 1
            if end > start:
                self._commit(db, jobs[start:end])
                start = end
                continue
            job = jobs[start]
            try:
                _answer(job, job.call(db) if job.call else None, None)
            except (sqlite3.Error, OSError, StoreError) as error:
                _answer(job, None, self._error(error))
            start += 1

    def _commit(self, db: sqlite3.Connection, jobs: list[_Job]) -> None:
        problem: StoreError | None = None
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT INTO revisions VALUES (?, ?, ?)", [r for j in jobs for r in j.records or ()]
            )
            db.execute("COMMIT")
        except sqlite3.Error as error:
            problem = self._error(error)
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        for job in jobs:
            _answer(job, None, problem)

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        db = sqlite3.connect(self._path, isolation_level=None, timeout=5)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not empty and application != APPLICATION_ID:
            raise StoreError(f"{self._path} is a database of something else; move it away")
        if version > FORMAT:
            raise StoreError(
                f"{self._path} has format {version}, this version knows up to {FORMAT}: "
                "use the newer reconciler that wrote it, or restore a backup"
            )
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise StoreError(
                f"{self._path} is corrupt ({problem}): restore a backup, or move it away"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if empty:
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("COMMIT")

    def _read(self, db: sqlite3.Connection) -> Contents:
        newest = db.execute("SELECT coalesce(max(revision), 0) FROM revisions").fetchone()[0]
        compacted = db.execute("SELECT value FROM state WHERE name = 'compacted'").fetchone()
        oldest = compacted[0] if compacted else 0
        rows = db.execute(
            "SELECT revision, key, value FROM revisions AS r WHERE value IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM revisions AS newer WHERE newer.key = r.key AND newer.revision > r.revision)"
            " ORDER BY revision"
        )
        return Contents([Record(*row) for row in rows], max(newest, oldest), oldest)

    def _error(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, sqlite3.DatabaseError) and (
            "malformed" in str(error) or "not a database" in str(error)
        ):
            return StoreError(
                f"{self._path} is corrupt ({error}): restore a backup, or move it away"
            )
        said = error.strerror if isinstance(error, OSError) else error
        return StoreError(f"{self._path}: {said}")


def snapshot(source: Path, target: Path) -> None:
    """Copy a store as it is at one moment to a new file, whoever else uses it. Raises ``StoreError``, ``OSError``.

    For another process than the one whose store it is: readers and the writer do not wait for each other (WAL).
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as db,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise StoreError(f"{source} is a database of something else")
            db.backup(copy)
            # One file, without a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            problem = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be copied: {error}") from error
    if problem != "ok":
        raise StoreError(f"{source} is corrupt ({problem}): restore an older backup")


def _answer(job: _Job, value: Any, error: Exception | None) -> None:
    def settle() -> None:
        if not job.future.done():
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(value)

    with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
        job.loop.call_soon_threadsafe(settle)
