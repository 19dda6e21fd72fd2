"""What is on disk of sandboxes and containers, and who a recorded process is."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int:
    """Return a process's start in clock ticks since boot (field 22 of its stat); 0 when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def pids() -> list[int]:
    """Return the processes of the host, as far as they are to be seen from here, but for this one."""
    # Strings, not Paths: there may be thousands.
    found = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    return [pid for pid in found if pid != os.getpid()]


def identity(pid: int) -> dict[str, Any]:
    """Return what tells this process from every other one that had or gets its number."""
    return {"pid": pid, "start": start_time(pid), "boot": BOOT_ID}


def lives(who: dict[str, Any]) -> bool:
    """Tell whether the very process that was recorded still runs."""
    return bool(
        who
        and who.get("boot") == BOOT_ID
        and who.get("start")
        and start_time(int(who["pid"])) == who["start"]
    )


def send(who: dict[str, Any], number: signal.Signals | int) -> None:
    """Signal the very process that was recorded, and none that has its number now; it may be gone."""
    if who:
        _signal(int(who["pid"]), number, lambda: lives(who))


def kill(pid: int, belongs: Callable[[int], bool]) -> bool:
    """Kill a process that belongs; returns whether there was one, that is no zombie.

    It is held before it is asked for (``belongs`` looks into /proc; its ``OSError`` is a no): a process that has the number
    by then because the one that was found has ended is never hit.
    """
    return _signal(pid, signal.SIGKILL, lambda: belongs(pid) and start_time(pid) > 0)


def _signal(pid: int, number: signal.Signals | int, is_meant: Callable[[], bool]) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not is_meant():
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:  # it has ended meanwhile
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def is_identity(who: object) -> bool:
    """Whether a recorded value has the shape of an ``identity``."""
    return (
        isinstance(who, dict)
        and isinstance(who.get("pid"), int)
        and isinstance(who.get("start"), int)
        and isinstance(who.get("boot"), str)
    )


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record so that a reader sees the old or the new one, never half."""
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(record, file)
    fresh.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return a record; a missing or damaged one is empty. Raises ``PermissionError``: that is another's directory."""
    try:
        record = json.loads(path.read_text())
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def forget(path: Path) -> None:
    """Remove a record or a directory of records."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
