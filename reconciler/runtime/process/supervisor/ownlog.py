"""What a long-running process says of itself: its standard error is a file, which must not grow for ever."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: In bytes. There is one file before: twice as much is kept.
LIMIT = 10 << 20
#: How often it is looked at, in seconds.
LOOK_SECONDS = 60.0


def keep_small(path: Path, limit: int = LIMIT) -> bool:
    """Begin a new log where this process writes to ``path`` and that is larger than ``limit``; the old one is ``path.1``.

    No line is lost or torn: whatever is written goes to the one or to the other. Returns whether that was done.
    """
    try:
        there = path.stat()
        ours = [fd for fd in (1, 2) if os.path.samestat(os.fstat(fd), there)]
        if not ours or there.st_size <= limit:
            return False
        path.replace(path.with_name(path.name + ".1"))
        fresh = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError:
        return False  # what cannot be rotated now is tried again
    for fd in ours:
        os.dup2(fresh, fd)
    os.close(fresh)
    return True


def note(text: str) -> None:
    """Write a line into it."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
