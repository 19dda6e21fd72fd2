"""Checking a backup, and putting it in a state directory's place: all of it or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from reconciler.daemon import migration, state
from reconciler.daemon.backup.archive import BLOCK, reading
from reconciler.errors import ConfigError, StoreError

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable

    from reconciler.clock import Clock
    from reconciler.daemon.backup.archive import Header, Member


def check(path: Path) -> Header:
    """Read a backup to its end without writing anything. Raises ``StoreError`` for whatever is wrong with it."""
    with reading(path) as archive:
        for _ in archive.members():
            pass
        return archive.header


def restore(path: Path, state_dir: Path, clock: Clock, *, force: bool = False) -> Header:
    """Make a state directory of a backup.

    The backup is checked first, unpacked beside the directory, and put in its place by renaming. With ``force`` what was
    there is moved aside (``STATE_DIR.replaced-…``), never deleted. Raises ``ConfigError`` for a directory that is in use or
    not empty, ``StoreError`` for the backup.
    """
    header = check(path)
    if header.state_format > migration.FORMAT:
        raise StoreError(
            f"{path} holds state of format {header.state_format}, this version knows up to {migration.FORMAT}: "
            f"restore it with reconciler {header.version} or newer"
        )
    state_dir = state_dir.absolute()
    if _is_occupied(state_dir) and not force:
        raise ConfigError(
            f"{state_dir} is not empty: choose another with --state-dir, or move it aside with --force"
        )
    if state_dir.is_dir():
        with state.locked(state_dir):
            state.refuse_workloads(state_dir)
            _put_in_place(path, state_dir, header, clock)
    else:
        _put_in_place(path, state_dir, header, clock)
    return header


def _put_in_place(path: Path, state_dir: Path, header: Header, clock: Clock) -> None:
    try:
        state_dir.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{state_dir.name}.", dir=state_dir.parent))
        try:
            _unpack(path, staging)
            migration.write_format(staging, header.state_format)
            if _is_occupied(state_dir):
                state_dir.rename(_aside(state_dir, clock))
            elif state_dir.is_dir():
                (state_dir / "daemon.lock").unlink(missing_ok=True)
                state_dir.rmdir()
            staging.rename(state_dir)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{state_dir} could not be put in place: {error.strerror}"
            + (
                " (a mount point cannot be replaced: restore into a directory below it)"
                if error.errno in (16, 18)
                else ""
            )
        ) from error


def _is_occupied(state_dir: Path) -> bool:
    return state_dir.is_dir() and any(p.name != "daemon.lock" for p in state_dir.iterdir())


def _aside(state_dir: Path, clock: Clock) -> Path:
    """Return a free name for what was there."""
    base = f"{state_dir.name}.replaced-{int(clock.now())}"
    number = 0
    while (aside := state_dir.with_name(base + (f".{number}" if number else ""))).exists():
        number += 1
    return aside


def _unpack(path: Path, root: Path) -> None:
    """Write everything below a directory that nobody else has touched; links and times of directories come last."""
    later: list[Callable[[], None]] = []
    with reading(path) as archive:
        for member in archive.members():
            target = root / member.path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if member.kind == "directory":
                target.mkdir(mode=0o700, exist_ok=True)
                later.append(lambda t=target, m=member: _finish(t, m))  # type: ignore[misc]
            elif member.data is not None:
                _write(target, member.data)
                _finish(target, member)
            else:
                later.append(lambda t=target, m=member: _link(t, m.info))  # type: ignore[misc]
    for finish in reversed(later):
        finish()


def _write(target: Path, data: IO[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        while block := data.read(BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _finish(target: Path, member: Member) -> None:
    """Give a file or directory its mode and time, and where we may its owner; outside of volumes all of it is ours alone."""
    info = member.info
    if member.path.parts[0] == "volumes" and len(member.path.parts) > 1:
        _own(target, info)
        # A directory passes its group on where it did; nothing runs with its owner's rights.
        target.chmod(info.mode & (0o3777 if member.kind == "directory" else 0o777))
    elif member.kind == "directory":
        target.chmod(0o700)
    os.utime(target, (info.mtime, info.mtime))


def _link(target: Path, info: tarfile.TarInfo) -> None:
    target.symlink_to(info.linkname)
    _own(target, info)


def _own(target: Path, info: tarfile.TarInfo) -> None:
    if os.geteuid() == 0:
        with suppress(OSError):
            os.chown(target, info.uid, info.gid, follow_symlinks=False)
