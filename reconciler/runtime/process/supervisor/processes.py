"""What the processes of containers use, by looking at every process of the host: where there are no control groups."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from .members import MARK

if TYPE_CHECKING:
    from .state import Record

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PREFIX = f"{MARK}=".encode()


class Processes:
    """One look, made when it is first needed. A process that has ended takes its CPU time out of the sum."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int]] | None = None

    def usage(self, record: Record) -> tuple[int, int] | None:
        """Return (CPU time in nanoseconds, resident memory in bytes) of a container."""
        if self._found is None:
            self._found = _look()
        return self._found.get(record["id"] if record.get("marked") else record["mount_namespace"])


def _look() -> dict[str, tuple[int, int]]:
    """Return the sums by mount namespace, and by mark."""
    found: dict[str, tuple[int, int]] = {}
    for pid in os.listdir("/proc"):  # noqa: PTH208 - strings: there may be thousands
        if not pid.isdecimal():
            continue
        with contextlib.suppress(OSError):
            names = [os.readlink(f"/proc/{pid}/ns/mnt"), *_mark(pid)]  # noqa: PTH115
            cpu, memory = _used(pid)
            for name in names:
                before = found.get(name, (0, 0))
                found[name] = (before[0] + cpu, before[1] + memory)
    return found


def _mark(pid: str) -> list[str]:
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
        for line in file.read().split(b"\0"):
            if line.startswith(_PREFIX):
                return [line.removeprefix(_PREFIX).decode(errors="replace")]
    return []


def _used(pid: str) -> tuple[int, int]:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    # utime, stime, and those of the children that it has waited for; rss.
    return sum(map(int, fields[11:15])) * _TICK, int(fields[21]) * _PAGE
