"""A file of a volume is read, which workloads write and may change meanwhile: nothing outside of the volume is ever opened.

Each part of the path is opened from the directory before it, and no link is followed by the kernel: a link is read, and its
target walked in the same way. So it may lead anywhere in the volume, and not out of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: How many links a path may go through, as for the kernel.
_MOST_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Not to wait for somebody to write a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LeadsOut(Exception):
    """A path leads out of its volume."""


def read_beneath(root: Path, path: str, limit: int) -> bytes:
    """Return what a plain file of a volume holds.

    Raises ``LeadsOut``, and ``OSError`` for what is missing, no plain file, or larger than ``limit`` bytes.
    """
    with contextlib.ExitStack() as stack:
        inside = [_opened(stack, root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, None)]
        left = _parts(path)
        links = 0
        while left:
            part = left.pop(0)
            if part == "..":
                inside.pop()
                if not inside:
                    raise LeadsOut
                continue
            target = _link(part, inside[-1])
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise OSError("too many levels of symbolic links")
                left = [*_parts(target), *left]
            elif left:
                inside.append(_opened(stack, part, _DIRECTORY, inside[-1]))
            else:
                return _content(_opened(stack, part, _FILE, inside[-1]), limit)
        raise OSError("it is a directory")


def _parts(path: str) -> list[str]:
    if path.startswith("/"):
        raise LeadsOut
    return [part for part in path.split("/") if part not in ("", ".")]


def _link(name: str, directory: int) -> str | None:
    """Return where a link leads; None for what is none."""
    if not stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        return None
    return os.readlink(name, dir_fd=directory)


def _opened(
    stack: contextlib.ExitStack, name: str | Path, flags: int, directory: int | None
) -> int:
    descriptor = os.open(name, flags, dir_fd=directory)
    stack.callback(os.close, descriptor)
    return descriptor


def _content(descriptor: int, limit: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError("it is no plain file")
    with os.fdopen(os.dup(descriptor), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"it is larger than {limit} bytes")
    return data
