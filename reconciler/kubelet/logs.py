"""Container logs on disk, in the CRI's format: reading them as ``kubectl logs`` does, and rotating them (P80-P84)."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from reconciler.api.node import LogOptions
    from reconciler.clock import Clock

#: A log is renamed at this size (bytes), and so many old ones are kept beside it.
LARGEST_LOG = 10 * 1024 * 1024
KEPT_LOGS = 4

#: How often a followed log is looked at, in seconds.
FOLLOW_SECONDS = 0.1


class Line(NamedTuple):
    """One entry: its timestamp's text, its bytes, and whether the line ends with it."""

    time: bytes
    data: bytes
    full: bool

    @property
    def seconds(self) -> float:
        text = self.time.decode("ascii", "replace")
        head, dot, rest = text.partition(".")
        # Nanoseconds do not fit datetime: microseconds are enough to compare.
        return parse_rfc3339(f"{head}.{rest[:6].rstrip('Z').ljust(6, '0')}Z" if dot else text)


def parse_line(raw: bytes) -> Line | None:
    """Read ``TIME STREAM P|F DATA``; None for what is not an entry.

    >>> parse_line(b"2024-01-01T00:00:00.5Z stdout F hello").data
    b'hello'
    """
    parts = raw.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    return Line(parts[0], parts[3] if len(parts) > 3 else b"", parts[2] != b"P")


def files_of(path: Path) -> list[Path]:
    """Return a log's files, oldest first."""
    rotated = sorted(
        (p for p in path.parent.glob(f"{path.name}.*") if p.suffix[1:].isdigit()),
        key=lambda p: -int(p.suffix[1:]),
    )
    return [*rotated, *([path] if path.exists() else [])]


def must_rotate(path: str) -> bool:
    """Whether a log has grown too large, or was deleted, so that its writer must open a new one; "" is no log."""
    try:
        # A string, not a Path: this looks at every container's.
        return bool(path) and os.stat(path).st_size >= LARGEST_LOG  # noqa: PTH116
    except FileNotFoundError:
        return True
    except OSError:
        return False


def rotate(path: Path) -> None:
    """Rename a log, and those that were renamed before; nothing where it was deleted. Raises ``OSError``."""
    if not path.exists():
        return
    for number in range(KEPT_LOGS, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if number == KEPT_LOGS:
            older.unlink(missing_ok=True)
        elif older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


def _entries(path: Path) -> Iterator[Line]:
    for file in files_of(path):
        try:
            with file.open("rb") as opened:
                for raw in opened:
                    line = parse_line(raw)
                    if line is not None:
                        yield line
        except OSError:
            continue


def _text(line: Line, *, timestamps: bool, begins: bool) -> bytes:
    head = line.time + b" " if timestamps and begins else b""
    return head + line.data + (b"\n" if line.full else b"")


def tail(path: Path, options: LogOptions) -> Iterator[bytes]:
    """Yield what a log holds now, as ``options`` ask."""
    entries = _entries(path)
    if options.since is not None:
        since = options.since
        entries = (e for e in entries if e.seconds >= since)
    if options.tail is not None:
        entries = iter(_last(entries, options.tail))
    left = options.limit_bytes
    begins = True
    for entry in entries:
        text = _text(entry, timestamps=options.timestamps, begins=begins)
        begins = entry.full
        if left is not None:
            text = text[:left]
            left -= len(text)
        yield text
        if left == 0:
            return


def _last(entries: Iterator[Line], count: int) -> deque[Line]:
    """Return the entries of the last ``count`` lines, holding no more than those in memory."""
    kept: deque[Line] = deque()
    lines = 0
    for entry in entries:
        kept.append(entry)
        lines += entry.full
        while lines > count or (count == 0 and kept):
            lines -= kept.popleft().full
    return kept


async def read(
    path: Path, options: LogOptions, clock: Clock, runs: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield a log; with ``follow`` what is added too, until the container ``runs`` no more and all is read."""
    identity, offset = _where(path)
    for text in tail(path, options):
        yield text
    if not options.follow:
        return
    begins, rest = True, b""
    while True:
        alive = runs()
        present, size = _where(path)
        if present != identity:
            identity, offset = present, 0
        if size > offset:
            with path.open("rb") as opened:
                opened.seek(offset)
                data = opened.read(1 << 20)
            offset += len(data)
            *whole, rest = (rest + data).split(b"\n")
            for raw in whole:
                line = parse_line(raw)
                if line is not None:
                    yield _text(line, timestamps=options.timestamps, begins=begins)
                    begins = line.full
        elif not alive:
            return
        else:
            await clock.sleep(FOLLOW_SECONDS)


def _where(path: Path) -> tuple[int, int]:
    """Return (inode, size) of a log; zeros where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size
