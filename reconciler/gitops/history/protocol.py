"""Where history is kept, as the engine sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.objects import Object
    from reconciler.gitops.history.record import Record


class HistoryError(ReconcilerError):
    """History cannot be written or read; nothing that runs depends on it."""


class History(Protocol):
    """Records and rendered sets of Applications, by their names. Plain calls that block: the engine runs them aside."""

    def records(self, app: str) -> list[Record]:
        """Return an Application's records, the oldest first; one that cannot be read is left out.

        Raises ``HistoryError`` where it cannot be said which there are.
        """
        ...

    def put_record(self, app: str, record: Record) -> None:
        """Write a record, or write one with the same id anew. Raises ``HistoryError``."""
        ...

    def put_set(self, app: str, objects: Mapping[str, Object]) -> str:
        """Keep a rendered set, digest of an object → object, and return the set's digest. Raises ``HistoryError``.

        What is kept already is not written again.
        """
        ...

    def objects(self, app: str, digest: str) -> list[Object]:
        """Return the objects of a set. Raises ``HistoryError`` where it is not there, changed, or sealed by another key."""
        ...

    def prune(self, app: str, keep: Iterable[int]) -> None:
        """Forget all records but these, and sets and objects that none of them names."""
        ...

    def drop(self, app: str) -> None:
        """Forget an Application."""
        ...
