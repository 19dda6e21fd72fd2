"""A running container's output: two FIFOs, which live as long as its record, read into its log."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

from . import logs

if TYPE_CHECKING:
    from pathlib import Path

    from .verbs import Loop

_STREAMS = ("stdout", "stderr")


def prepare(directory: Path) -> None:
    """Make the FIFOs of a container in its directory."""
    for name in _STREAMS:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(directory / name, 0o600)


def is_prepared(directory: Path) -> bool:
    """Whether the FIFOs of a container are there."""
    return all((directory / name).is_fifo() for name in _STREAMS)


def open_ends(directory: Path, owner: int | None) -> list[int]:
    """Return the ends that the container writes to, given to a user where one is named."""
    # For reading too: so a writer never meets a FIFO without a reader, whatever becomes of this process.
    ends = [os.open(directory / name, os.O_RDWR | os.O_CLOEXEC) for name in _STREAMS]
    if owner is not None:
        for fd in ends:
            os.fchown(fd, owner, -1)
    return ends


class Output:
    """Reads what a container writes for as long as it runs."""

    def __init__(self, directory: Path, log_path: str, loop: Loop) -> None:
        self._loop = loop
        self._log = logs.LogFile(log_path or "/dev/null")
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._streams = {os.open(directory / name, flags): name.encode() for name in _STREAMS}
        for fd in self._streams:
            loop.watch(fd, partial(self._read, fd))

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if data:
            self._log.feed(self._streams[fd], data)
            return True
        self._loop.unwatch(fd)
        return False

    def reopen(self) -> None:
        """Go on in a new log file."""
        self._log.reopen()

    def close(self) -> None:
        """Write what is left to be read, and end."""
        for fd in self._streams:
            while self._read(fd):
                pass
            self._loop.unwatch(fd)
            os.close(fd)
        self._log.finish()
