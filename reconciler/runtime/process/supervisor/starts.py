"""What a fork says of its way to becoming a program: nobody is waited for, since a Pod can stop its own processes on it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .verbs import Loop

#: A fork that is no program by then is ended. Small limits of CPU make it slow.
LONGEST = 60.0


class Told(NamedTuple):
    """``namespace``: its mount namespace, where it made one; ``error``: why it is no program, "" when it is."""

    namespace: str
    error: str


def read(said: bytes) -> Told:
    """Return what the lines of a fork mean: ``N`` its namespace, ``E`` its error; none = it runs."""
    namespace = ""
    if said.startswith(b"N"):
        line, _, said = said.partition(b"\n")
        namespace = line[1:].decode()
    return Told(namespace, said[1:].decode(errors="replace"))


class Start:
    """One fork on its way. ``then`` hears once how it went: when its report ends, or it is late, or it has ended."""

    def __init__(self, pid: int, report: int, loop: Loop, then: Callable[[Told], None]) -> None:
        self._pid = pid
        self._report = report
        self._loop = loop
        self._then = then
        self._said = b""
        os.set_blocking(report, False)
        loop.watch(report, self.look)
        self._deadline = loop.later(LONGEST, self._late)

    def look(self) -> None:
        """Read what is there; tell how it went when that was all."""
        while self._report >= 0:
            try:
                data = os.read(self._report, 4096)
            except BlockingIOError:
                return
            self._said += data
            if not data:
                self._over(read(self._said))

    def _late(self) -> None:
        if self._report >= 0:
            told = f"it was no program after {LONGEST:.0f} s"
            self._over(Told(read(self._said).namespace, told))

    def _over(self, told: Told) -> None:
        self._loop.cancel(self._deadline)
        self._loop.unwatch(self._report)
        os.close(self._report)
        self._report = -1
        self._then(told)


def end(pid: int) -> None:
    """End a child that came to nothing, stopped or not, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
