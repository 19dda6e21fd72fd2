"""Becoming a process that outlives its starter, which hears how the start went."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

_READY, _FAILED = b"R", b"E"


class Report:
    """Tells the starter once: it waits for that."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self) -> None:
        """Let the starter go on."""
        os.write(self._descriptor, _READY)
        os.close(self._descriptor)

    def failed(self, why: str) -> NoReturn:
        """Say on the starter's standard error why there is nothing, and end."""
        os.write(self._descriptor, _FAILED + why.encode())
        os._exit(1)


def detach(log: Path) -> Report:
    """Go on in a session of one's own with ``log`` for output; the first process ends when the second reports.

    The first one prints the pid of the second. Raises ``OSError`` where the log cannot be written.

    To be called before anything else runs: no thread, no loop.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    report, mine = os.pipe()
    if child := os.fork():
        os.close(mine)
        said = b""
        while data := os.read(report, 4096):
            said += data
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stderr.write(said[1:].decode() or f"see {log}")
        sys.stderr.flush()
        os._exit(0 if said[:1] == _READY else 1)
    os.close(report)
    os.setsid()
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for number, descriptor in ((0, null), (1, output), (2, output)):
        os.dup2(descriptor, number)
    for descriptor in (null, output):
        os.close(descriptor)
    return Report(mine)
