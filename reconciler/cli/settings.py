"""What every verb is told: the state directory, the runtime, how much to say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """The common options. ``runtime`` None: nobody said. ``verbosity``: -1 quiet, 0, 1, 2."""

    state_dir: Path
    runtime: str | None = None
    verbosity: int = 0
    color: str = "auto"


def default_state_dir() -> Path:
    """Return where state lies when nobody says: by environment, for root, for everybody else."""
    if named := os.environ.get("RECONCILER_STATE_DIR"):
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/reconciler")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "reconciler"
