"""What runs of sandboxes whose records are lost: found by the mark of their holders, and ended. Never two of one Pod."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from . import records
from .members import MARK

if TYPE_CHECKING:
    from collections.abc import Collection

#: A holder is known by this variable: ``ORIGIN:SANDBOX``; of the node's network it is ``ORIGIN:``.
HOLDER = "RECONCILER_HOLDER"
_PATIENCE = 5.0  # seconds for killed processes to be gone


def mark(origin: str, sandbox: str = "") -> str:
    """Return the mark of a sandbox's holder, or of the holder of the node's network."""
    return f"{HOLDER}={origin}:{sandbox}"


def end(origin: str, sandboxes: Collection[str] | None = None) -> None:
    """Kill what runs of sandboxes of the directory ``origin``; None is all of them, and the node's network too.

    Everything in a holder's namespaces goes with it; where a holder has none, what is marked as a container of its
    sandbox. One look through /proc a round, whatever their number. An ordinary user calls it before it makes a user
    namespace: from inside, what runs in another one cannot be looked at.
    """
    if sandboxes is None:
        holders: tuple[bytes, ...] = (mark(origin).encode(),)
        containers: tuple[bytes, ...] = ()
    else:
        holders = tuple(mark(origin, s).encode() + b"\0" for s in sandboxes)
        containers = tuple(f"{MARK}={s}-".encode() for s in sandboxes)
    own = os.readlink("/proc/self/ns/uts")  # noqa: PTH115
    spaces = {_uts(pid) for pid in records.pids() if _is_marked(pid, holders)} - {own, ""}

    def remains(pid: int) -> bool:
        return _uts(pid) in spaces or _is_marked(pid, holders + containers)

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        # Looked at before it is held, too: most processes of a host are none of ours.
        if not sum(remains(pid) and records.kill(pid, remains) for pid in records.pids()):
            return
        # Killed is not gone yet: what is looked at too soon is killed again, to no harm. Nobody is served meanwhile:
        # nothing may start before what is lost has ended.
        time.sleep(0.005)


def _is_marked(pid: int, marks: tuple[bytes, ...]) -> bool:
    """Whether a variable of a process begins with a mark; with a zero byte behind it a mark is the whole variable."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - strings: this looks at every process of the host
            found = file.read()
    except OSError:
        return False
    return any(found.startswith(m) or b"\0" + m in found for m in marks)


def _uts(pid: int) -> str:
    """Return a process's UTS namespace; empty where it may not be looked at, or is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/uts")  # noqa: PTH115 - as above
    except OSError:
        return ""
