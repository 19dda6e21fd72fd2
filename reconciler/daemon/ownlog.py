"""The daemon's and the proxy's own logs, where they are files: kept small while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.runtime.process.supervisor import ownlog

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.clock import Clock


async def keep(path: Path, clock: Clock) -> None:
    """Look at a log until cancelled. Of a daemon that says it all to systemd or to a terminal nothing is touched."""
    while True:
        ownlog.keep_small(path)
        await clock.sleep(ownlog.LOOK_SECONDS)
