"""What is on disk of sandboxes and containers, and who a recorded process is."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int:
    """Return a process's start in clock ticks since boot (field 22 of its stat); 0 when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


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
    try:
        descriptor = os.pidfd_open(who["pid"])
    except (OSError, KeyError):
        return
    try:
        if lives(who):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
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
