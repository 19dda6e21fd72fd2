"""The write path below the rules: stage a change at once, make it durable, then let the world see it.

A write is checked against ``head`` (what is committed, with what is staged on top) and staged without waiting, so two
writers cannot both pass the same check. Staged changes are appended to the store together; only then do reads and
watches see them and does the writer's call return. When the store refuses, everything staged is undone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from reconciler.api.objects import Key, Object
from reconciler.errors import StoreError, Unavailable
from reconciler.registry.cache import Cache
from reconciler.registry.measures import WriteMeasures
from reconciler.registry.watches import Change, Watches
from reconciler.store.protocol import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.store.protocol import Store

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

#: Revisions of history that a running registry keeps in the store, and how often it forgets older ones.
HISTORY = 10_000
COMPACT_EVERY = 20_000


class _Staged(NamedTuple):
    key: Key
    change: Change
    record: Record
    done: asyncio.Future[None]


def store_key(key: Key) -> str:
    """Return an object's key in the store."""
    return f"/{key.group}/{key.kind}/{key.namespace}/{key.name}"


class RevisionLog:
    """Revisions, the committed objects and their watches, over one store."""

    def __init__(self, store: Store, undone: Callable[[], None]) -> None:
        self._store = store
        self._undone = undone
        self._heads: dict[Key, Object | None] = {}
        self._staged: list[_Staged] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._committer: asyncio.Task[None] | None = None
        self._newest = 0
        self._compacted_at = 0
        self.revision = 0  # committed: what reads show
        self.cache = Cache()
        self.watches = Watches()
        self.measures = WriteMeasures()
        self.problem = ""  # why the last write was refused; empty: it was not

    async def start(self) -> None:
        """Read the store. Raises ``StoreError``."""
        contents = await self._store.open()
        for record in contents.records:
            if record.value is not None:
                obj = _decode(record.value)
                self.cache.put(Key.of(obj), obj)
        self.revision = self._newest = self._compacted_at = contents.revision
        self.watches.reset(contents.revision)
        self._committer = asyncio.create_task(self._commit_forever(), name="registry-commit")

    async def close(self) -> None:
        """Commit what is staged and close the store."""
        self._closing = True
        self._wake.set()
        if self._committer is not None:
            await self._committer
        await self._store.close()

    def head(self, key: Key) -> Object | None:
        """Return the newest state of an object, committed or staged."""
        if key in self._heads:
            return self._heads[key]
        return self.cache.get(key)

    def next_revision(self) -> int:
        """Return a new revision; the caller stages a change under it before it lets others run."""
        self._newest += 1
        return self._newest

    async def commit(
        self, key: Key, revision: int, before: Object | None, after: Object | None, last: Object
    ) -> None:
        """Stage one change and return when it is durable and seen. Raises ``Unavailable``."""
        if self._closing:
            raise Unavailable("the registry is closing")
        change = Change(revision, key.group, key.kind, key.namespace, before, after, last)
        record = Record(revision, store_key(key), None if after is None else _encode(after))
        done = asyncio.get_running_loop().create_future()
        self._heads[key] = after
        self._staged.append(_Staged(key, change, record, done))
        self._wake.set()
        # A caller that is cancelled has asked all the same: its write goes on.
        await asyncio.shield(done)

    async def _commit_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._closing and not self._staged):
            await self._wake.wait()
            self._wake.clear()
            while self._staged:
                batch, self._staged = self._staged, []
                began = loop.time()
                try:
                    await self._store.append(s.record for s in batch)
                except StoreError as error:
                    self.problem = str(error)
                    self.measures.writes.add("error", by=len(batch))
                    self._undo(batch, error)
                else:
                    self.problem = ""
                    self.measures.commits.observe(loop.time() - began)
                    self.measures.writes.add("success", by=len(batch))
                    for staged in batch:
                        self._publish(staged)
            if self.revision - self._compacted_at > COMPACT_EVERY:
                self._compacted_at = self.revision
                await self._store.compact(self.revision - HISTORY)

    def _publish(self, staged: _Staged) -> None:
        key, change, _, done = staged
        if change.after is None:
            self.cache.remove(key)
        else:
            self.cache.put(key, change.after)
        if self._heads.get(key) is change.after:
            self._heads.pop(key, None)
        self.revision = change.revision
        self.watches.publish(change)
        if not done.done():
            done.set_result(None)

    def _undo(self, batch: list[_Staged], error: StoreError) -> None:
        """Forget everything staged: later changes were checked against the ones that failed."""
        failed, self._staged = batch + self._staged, []
        self._heads.clear()
        self._undone()
        for staged in failed:
            if not staged.done.done():
                staged.done.set_exception(Unavailable(f"the store refused the write: {error}"))
                staged.done.exception()  # a caller that is gone has nobody to tell
