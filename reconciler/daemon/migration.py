"""The format of a state directory, and the way from an older one to this version's.

``STATE_DIR/format`` holds a number. A directory without one was made before there was such a file: it has format 1. Each
step brings a directory from one format to the next, and may be run again over what it has half done. A backup is made
before the first step; a newer format than this version knows is refused, and nothing is touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from reconciler.errors import ConfigError, ReconcilerError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

#: What this version reads and writes.
FORMAT = 1
#: From a format to the next one.
STEPS: Mapping[int, Callable[[Path], None]] = {}

_FILE = "format"


def format_of(state_dir: Path) -> int:
    """Return a state directory's format. Raises ``StoreError`` when the file that says it cannot be read."""
    path = state_dir / _FILE
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 1
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    if not text.isdecimal() or int(text) < 1:
        raise StoreError(f"{path} holds {text[:20]!r}: expected a number; restore a backup")
    return int(text)


def write_format(state_dir: Path, number: int) -> None:
    """Say which format a state directory has; old or new, never half."""
    fresh = state_dir / f".{_FILE}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(state_dir / _FILE)


def migrate(
    state_dir: Path,
    clock: Clock,
    *,
    newest: int = FORMAT,
    steps: Mapping[int, Callable[[Path], None]] = STEPS,
) -> None:
    """Bring a state directory to the newest format; the caller holds its lock.

    Raises ``ConfigError`` for one that is newer, and when a step fails: then it names the backup.
    """
    if not (state_dir / "cluster.db").exists():
        write_format(state_dir, newest)
        return
    found = format_of(state_dir)
    if found > newest:
        raise ConfigError(
            f"{state_dir} has format {found}, this version knows up to {newest}: use the newer reconciler that wrote it, "
            "or restore a backup with `reconciler restore`"
        )
    if found == newest:
        if not (state_dir / _FILE).exists():
            write_format(state_dir, newest)
        return
    saved = _save(state_dir, found, clock)
    log.info("migrating the state directory", format=found, to=newest, backup=str(saved))
    for number in range(found, newest):
        try:
            steps[number](state_dir)
        except (OSError, ReconcilerError) as error:
            raise ConfigError(
                f"{state_dir} could not be brought from format {number} to {number + 1}: {error}; "
                f"what was before is in {saved}"
            ) from error
        write_format(state_dir, number + 1)


def _save(state_dir: Path, found: int, clock: Clock) -> Path:
    from reconciler.daemon.backup import Contents, create

    folder = state_dir / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"format-{found}-{int(clock.now())}.tar.gz"
    create(state_dir, target, Contents(keys=True), clock)
    return target
