"""Containers that an earlier supervisor started: watched by a pidfd, for they are nobody's children here."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from . import namespaces as ns
from . import records

if TYPE_CHECKING:
    from .containers import Containers
    from .state import Record
    from .verbs import Loop

_PATIENCE = 2.0  # seconds for a process's new parent to reap it


def adopt(record: Record, containers: Containers, loop: Loop) -> None:
    """Go on with a container that is recorded as running: it may have ended meanwhile."""
    containers.attach(record)
    who = record.get("process") or {}
    try:
        pidfd = os.pidfd_open(who["pid"])
    except (OSError, KeyError):
        containers.finish(record, None)
        return
    if not records.lives(who):  # its number was taken again before it was held
        os.close(pidfd)
        containers.finish(record, None)
        return
    loop.watch(pidfd, lambda: _ended(pidfd, record, containers, loop))


def _ended(pidfd: int, record: Record, containers: Containers, loop: Loop) -> None:
    loop.unwatch(pidfd)
    deadline = time.monotonic() + _PATIENCE

    def look() -> None:
        # Its code can be asked for as soon as its new parent has reaped it.
        status = ns.exit_status(pidfd)
        if status is None and time.monotonic() < deadline:
            loop.later(0.005, look)
            return
        os.close(pidfd)
        containers.finish(record, status)

    look()
