"""The Store protocol: an append-only log of revisions of keys, as etcd keeps one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Record(NamedTuple):
    """One revision of one key. ``value`` None is a tombstone: the key was deleted at this revision."""

    revision: int
    key: str
    value: bytes | None


class Contents(NamedTuple):
    """What a store holds when it is opened: the live records, and the two ends of its history."""

    records: list[Record]
    revision: int  # the newest
    compacted: int  # revisions up to this one may have lost their history


class Store(Protocol):
    """Keeps revisions. One registry writes; revisions come from it and only grow."""

    async def open(self) -> Contents:
        """Read everything that is live. Raises ``StoreError`` on a corrupt file or a newer format."""
        ...

    async def append(self, records: Iterable[Record]) -> None:
        """Write records, all or none; they are durable when this returns.

        Calls that wait together are written together. Raises ``StoreError``: then nothing was written.
        """
        ...

    async def since(self, revision: int) -> list[Record]:
        """Return the records after a revision, in order. Raises ``StoreError`` when it is compacted."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what was superseded or deleted at or before a revision."""
        ...

    async def backup(self, path: Path) -> None:
        """Write a consistent copy to a new file while in use."""
        ...

    async def check(self) -> None:
        """Write something durable that changes nothing. Raises ``StoreError`` when that does not work any more."""
        ...

    def size(self) -> int:
        """Return how much the store takes on disk, in bytes."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and close."""
        ...
