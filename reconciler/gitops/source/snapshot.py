"""What a source gives: files at one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class File(NamedTuple):
    """One file: its path below the root with ``/``, the digest of its bytes, and they."""

    path: str
    digest: str
    data: bytes


class Problem(NamedTuple):
    """Something below the root that cannot be read; the rest can. ``rule`` is the finding it becomes."""

    path: str
    rule: str
    message: str


class Snapshot(NamedTuple):
    """Everything that a source holds at one moment. Equal revisions hold equal files."""

    revision: str
    files: Mapping[str, File]
    problems: tuple[Problem, ...] = ()


class Source(Protocol):
    """Gives snapshots of one root."""

    async def snapshot(self) -> Snapshot:
        """Read everything. Raises ``SourceError`` when the root cannot be read."""
        ...

    async def changed(self) -> None:
        """Return when something may have changed since the last snapshot; never later than a slow look around."""
        ...

    async def close(self) -> None: ...
