"""What a source gives: files at one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class File:
    """One file: its path below the root with ``/``, the digest of its bytes, and they. Never changed.

    Instead of its bytes it may hold what reads them again, with their number: a large set need not lie in memory.
    """

    __slots__ = ("_data", "digest", "path", "size")

    def __init__(
        self, path: str, digest: str, data: bytes | Callable[[], bytes], size: int = 0
    ) -> None:
        self.path = path
        self.digest = digest
        self.size = len(data) if isinstance(data, bytes) else size
        self._data = data

    @property
    def data(self) -> bytes:
        """The bytes. Raises ``SourceError`` where they are not held and are not there any more as they were."""
        held = self._data
        return held if isinstance(held, bytes) else held()

    def renamed(self, path: str) -> File:
        """Return the same file under another path."""
        return File(path, self.digest, self._data, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, File):
            return NotImplemented
        return (self.path, self.digest) == (other.path, other.digest)

    def __hash__(self) -> int:
        return hash((self.path, self.digest))


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
