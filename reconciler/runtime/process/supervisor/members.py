"""Every process of a container, however often they forked or left their session."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from . import cgroups, records

if TYPE_CHECKING:
    from collections.abc import Callable

#: A container without namespaces of its own is known by this variable, which its processes inherit.
MARK = "RECONCILER_CONTAINER"


def kill_all(record: dict[str, Any], holder: dict[str, Any]) -> None:
    """Kill every process of a container of the Pod that ``holder`` holds; returns when none is left."""
    groups = record.get("cgroups")
    if groups and cgroups.kill(groups):
        return
    belongs = _membership(record, holder)
    if belongs is None:
        return
    for _ in range(500):
        if not sum(_end(pid, belongs) for pid in records.pids()):
            return
        # The one thread waits, and with it all that ask: what is killed is gone within milliseconds, and nobody may
        # hear of a container's end before all of it has ended.
        time.sleep(0.002)


def _end(pid: int, belongs: Callable[[int], bool]) -> bool:
    # Looked at before it is held, too: most processes of a host are none of ours.
    try:
        return belongs(pid) and records.kill(pid, belongs)
    except OSError:
        return False


def _membership(record: dict[str, Any], holder: dict[str, Any]) -> Callable[[int], bool] | None:
    """Return the test of whether a process is a member; None where no process can be."""
    mounts = record.get("mount_namespace", "")
    # Numbers of namespaces are used again; that of the Pod's UTS namespace is certain while its holder lives.
    uts = _uts_of(holder) if mounts else ""
    if uts:

        def inside(pid: int) -> bool:
            base = f"/proc/{pid}/ns/"
            # Strings, not Paths: this looks at every process of the host.
            return os.readlink(base + "mnt") == mounts and os.readlink(base + "uts") == uts  # noqa: PTH115

        return inside
    if record.get("marked"):
        mark = f"{MARK}={record['id']}".encode()

        def marked(pid: int) -> bool:
            with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
                return mark in file.read().split(b"\0")

        return marked
    return None


def _uts_of(holder: dict[str, Any]) -> str:
    """Return the UTS namespace of a Pod; empty where its holder has ended, or is about to."""
    if not records.lives(holder):
        return ""
    try:
        return os.readlink(f"/proc/{holder['pid']}/ns/uts")  # noqa: PTH115
    except OSError:  # the first process of a PID namespace waits for the last one to be reaped: it can be looked at no more
        return ""
