"""Writing a backup, while daemon and workloads go on."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec

from reconciler import __version__
from reconciler.clock import rfc3339
from reconciler.daemon import machine
from reconciler.daemon.backup.archive import BLOCK, FORMAT, HEADER, ROOT, SUMS, Header, in_a_volume
from reconciler.daemon.migration import format_of
from reconciler.errors import StoreError
from reconciler.store.sqlite import snapshot

if TYPE_CHECKING:
    from reconciler.clock import Clock

DATABASE = "cluster.db"

#: What belongs to this machine and moment, and what is written apart.
_LEFT_OUT = frozenset(
    {
        DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "api.sock", "backups", "build", "daemon.lock",
        "daemon.log", "daemon.log.1", "format", "pods", "proxy.log", "proxy.log.1", "run", "runtime",
    }
)  # fmt: skip


class Contents(NamedTuple):
    """What goes in beside the objects and their history."""

    volumes: bool = False
    keys: bool = False
    sources: bool = False

    def has(self, name: str) -> bool:
        """Whether something that lies at the top of the state directory belongs to the backup."""
        asked = {
            "volumes": self.volumes,
            "keys": self.keys,
            "token": self.keys,
            "sources": self.sources,
        }
        return asked.get(name, name not in _LEFT_OUT and not name.startswith("."))


class Report(NamedTuple):
    """What was written: files, their bytes, and what could not be taken along (``path: why``)."""

    files: int
    size: int
    skipped: tuple[str, ...]


def create(state_dir: Path, target: Path, contents: Contents, clock: Clock) -> Report:
    """Write a backup of a state directory, 0600; ``target`` is there when it is complete, and not before.

    The objects are those of one moment. Files of volumes are read one after another while their programs go on: what a
    program changes meanwhile is as if the power had failed. Raises ``StoreError``.
    """
    database = state_dir / DATABASE
    if not database.is_file():
        raise StoreError(f"{state_dir} holds no state: there is nothing to back up")
    target = target.absolute()
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            copy = Path(folder, DATABASE)
            snapshot(database, copy)
            partial = Path(folder, "backup")
            descriptor = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                report = _write(file, state_dir, copy, contents, clock)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            _sync_directory(target.parent)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StoreError(f"the backup was not written: {error.strerror or error}{where}") from error
    return report


def _write(
    file: IO[bytes], state_dir: Path, database: Path, contents: Contents, clock: Clock
) -> Report:
    header = Header(
        FORMAT, __version__, rfc3339(clock.now()), format_of(state_dir), machine.hostname(),
        contents.volumes, contents.keys, contents.sources,
    )  # fmt: skip
    with (
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        writer = _Writer(tar)
        writer.note(HEADER, msgspec.to_builtins(header))
        with database.open("rb") as stream:
            writer.file(DATABASE, stream)
        for entry in sorted(os.listdir(state_dir)):  # noqa: PTH208 - names are what is asked for
            if contents.has(entry):
                writer.tree(state_dir, entry)
        writer.note(SUMS, writer.sums)
    return Report(len(writer.sums), writer.size, tuple(writer.skipped))


class _Writer:
    """Adds to a tar, and keeps the checksums of what it added."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sums: dict[str, str] = {}
        self.size = 0
        self.skipped: list[str] = []

    def note(self, name: str, value: Any) -> None:
        data = json.dumps(value, indent=1).encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self._tar.addfile(info, io.BytesIO(data))

    def tree(self, state_dir: Path, top: str) -> None:
        """Add a file or a directory with all below it.

        Directories are walked by descriptors: what a workload does to its volume meanwhile cannot lead the walk out of it.
        """
        if not stat.S_ISDIR((state_dir / top).lstat().st_mode):
            descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._entry(top, top, descriptor)
            finally:
                os.close(descriptor)
            return
        for where, directories, files, descriptor in os.fwalk(
            state_dir / top, follow_symlinks=False, onerror=_raise
        ):
            relative = os.path.relpath(where, state_dir)
            self._directory(relative, os.fstat(descriptor))
            directories.sort()
            links = [d for d in directories if _is_link(d, descriptor)]
            for name in sorted([*files, *links]):
                self._entry(f"{relative}/{name}", name, descriptor)

    def _directory(self, path: str, status: os.stat_result) -> None:
        info = _info(path, status)
        info.type = tarfile.DIRTYPE
        self._tar.addfile(info)

    def _entry(self, path: str, name: str, directory: int) -> None:
        """Add what a directory holds under a name: a file, or below volumes a link; nothing else."""
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._link(path, name, directory, status)
            elif stat.S_ISREG(status.st_mode):
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with os.fdopen(os.open(name, flags, dir_fd=directory), "rb") as stream:
                    self.file(path, stream)
            else:
                self.skipped.append(f"{path}: neither a file nor a directory")
        except FileNotFoundError:
            return  # gone meanwhile

    def _link(self, path: str, name: str, directory: int, status: os.stat_result) -> None:
        if not in_a_volume(PurePosixPath(path)):
            self.skipped.append(f"{path}: a symbolic link")
            return
        info = _info(path, status)
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=directory)
        self._tar.addfile(info)

    def file(self, path: str, stream: IO[bytes]) -> None:
        status = os.fstat(stream.fileno())
        info = _info(path, status)
        info.size = status.st_size
        reader = _Exactly(stream, info.size)
        self._tar.addfile(info, reader)
        if reader.missing:
            self.skipped.append(f"{path}: {reader.missing} bytes went away while it was read")
        self.sums[path] = reader.digest.hexdigest()
        self.size += info.size


class _Exactly:
    """As many bytes of a file as its header says, however it changes meanwhile; what went away is zeros, as tar does."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size
        self.missing = 0
        self.digest = hashlib.sha256()

    def read(self, size: int = BLOCK) -> bytes:
        wanted = min(size, self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            self.missing += wanted - len(data)
            data += bytes(wanted - len(data))
        self._left -= len(data)
        self.digest.update(data)
        return data


def _info(path: str, status: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{ROOT}/{path}")
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid, info.mtime = status.st_uid, status.st_gid, int(status.st_mtime)
    return info


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
