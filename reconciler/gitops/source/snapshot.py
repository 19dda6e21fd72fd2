"""What a source gives: files at one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

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
    severity: Literal["error", "warning"] = "error"


class Commit(NamedTuple):
    """Who made a revision, and why: what history tells of it. ``time`` is in seconds since the epoch."""

    id: str
    author: str
    email: str
    time: int
    message: str
    ref: str
    url: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class Snapshot(NamedTuple):
    """Everything that a source holds at one moment. Equal revisions hold equal files.

    ``stale`` says why nothing newer can be read, and since when; the files are the last good ones. Empty: they are
    the newest. ``hinted``: the origin itself told of this revision (a webhook).
    """

    revision: str
    files: Mapping[str, File]
    problems: tuple[Problem, ...] = ()
    commit: Commit | None = None
    stale: str = ""
    hinted: bool = False


class Source(Protocol):
    """Gives snapshots of one root."""

    async def snapshot(self) -> Snapshot:
        """Read everything. Raises ``SourceError`` when the root cannot be read."""
        ...

    async def changed(self) -> None:
        """Return when something may have changed since the last snapshot; never later than a slow look around."""
        ...

    def refresh(self) -> None:
        """Let the next snapshot be what the origin holds then: somebody asked for it (``sync``)."""
        ...

    async def at(self, revision: str) -> Snapshot:
        """Return what another revision holds; what is followed stays. Raises ``SourceError``, also where there are none."""
        ...

    async def close(self) -> None: ...
