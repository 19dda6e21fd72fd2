"""The format of a backup: a gzipped tar of a header, the state directory's files, and their checksums.

    reconciler-backup.json    Header: which format, made when, by which version, with what in it
    state/…                   directories and regular files; symbolic links inside volumes alone
    SHA256SUMS.json           path → SHA-256 of every file; the last member, so that a torn file has none

Everything in it is checked by ``Reader`` as a stranger's: names lead down from ``state/`` and come once, nothing is a
device, a pipe or a hard link, and every file has its checksum.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec

from reconciler.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
HEADER = "reconciler-backup.json"
SUMS = "SHA256SUMS.json"
ROOT = "state"
BLOCK = 1 << 20
#: Header and checksums are read into memory: no larger than this, in bytes.
LARGEST_NOTE = 256 << 20


class Header(msgspec.Struct, frozen=True, rename="camel"):
    """What a backup says of itself. ``state_format`` is that of the state directory."""

    format: int
    version: str
    created_at: str
    state_format: int
    node: str
    volumes: bool
    keys: bool
    sources: bool


class Member(NamedTuple):
    """One thing below ``state/``. ``kind`` is directory, file or link; a file has a stream to read, once."""

    path: PurePosixPath
    kind: str
    info: tarfile.TarInfo
    data: IO[bytes] | None = None


def in_a_volume(path: PurePosixPath) -> bool:
    """Whether a path, relative to the state directory, lies inside a claim's directory (``volumes/NAMESPACE/CLAIM/``)."""
    return path.parts[0] == "volumes" and len(path.parts) > 3


class Reader:
    """Reads a backup from the beginning to the end; raises ``StoreError`` for whatever is wrong with it."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._path = path
        self._tar = tar
        self._entries = iter(tar)
        self._sums: dict[str, str] = {}
        self._seen: set[str] = set()
        self.header = self._read_header()

    def members(self) -> Iterator[Member]:
        """Yield everything below ``state/``; a file must be read before the next member is asked for.

        Checksums are compared at the end: what was yielded counts only when this has ended.
        """
        complete = False
        for info in self._entries:
            if complete:
                raise self.wrong(f"{info.name} comes after the checksums")
            if info.name == SUMS:
                self._compare(self._note(info))
                complete = True
            else:
                yield from self._member(info)
        if not complete:
            raise self.wrong("it is cut off: its checksums are missing")

    def _member(self, info: tarfile.TarInfo) -> Iterator[Member]:
        path = self._name(info)
        if info.isdir():
            yield Member(path, "directory", info)
        elif info.isfile() and not info.issparse():
            stream = self._tar.extractfile(info)
            assert stream is not None  # noqa: S101 - it is a file
            data = _Digesting(stream)
            yield Member(path, "file", info, data)  # type: ignore[arg-type]
            self._sums[str(path)] = data.finish()
        elif info.issym() and in_a_volume(path):
            yield Member(path, "link", info)
        else:
            kind = "a symbolic link" if info.issym() else "neither a file nor a directory"
            raise self.wrong(f"{info.name} is {kind}, which a backup does not have there")

    def _name(self, info: tarfile.TarInfo) -> PurePosixPath:
        path = PurePosixPath(info.name)
        inside = path.parts[:1] == (ROOT,) and len(path.parts) > 1
        if not inside or path.is_absolute() or ".." in path.parts or "\0" in info.name:
            raise self.wrong(f"{info.name!r} leads out of the state directory")
        if str(path) in self._seen:
            raise self.wrong(f"{info.name} is there twice")
        self._seen.add(str(path))
        return path.relative_to(ROOT)

    def _compare(self, sums: Any) -> None:
        if not isinstance(sums, dict):
            raise self.wrong("its checksums are no JSON object")
        if missing := sorted(sums.keys() - self._sums.keys()):
            raise self.wrong(f"{missing[0]} is missing")
        for path, digest in self._sums.items():
            if sums.get(path) != digest:
                raise self.wrong(f"{path} is not what was backed up: its checksum differs")

    def _read_header(self) -> Header:
        info = next(self._entries, None)
        if info is None or info.name != HEADER:
            raise self.wrong("it is no backup of reconciler")
        try:
            header = msgspec.convert(self._note(info), Header)
        except msgspec.ValidationError as error:
            raise self.wrong(f"its header: {error}") from error
        if header.format > FORMAT:
            raise self.wrong(
                f"it has format {header.format}, this version knows up to {FORMAT}: "
                f"restore it with reconciler {header.version} or newer"
            )
        return header

    def _note(self, info: tarfile.TarInfo) -> Any:
        stream = self._tar.extractfile(info) if info.isfile() else None
        if stream is None or info.size > LARGEST_NOTE:
            raise self.wrong(f"{info.name} cannot be read")
        try:
            return json.loads(stream.read())
        except ValueError as error:
            raise self.wrong(f"{info.name} is no JSON") from error

    def wrong(self, why: str) -> StoreError:
        return StoreError(f"{self._path} cannot be restored: {why}")


class _Digesting:
    """A stream whose reader leaves its digest behind; what was not read is read at the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = BLOCK) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def finish(self) -> str:
        while self.read():
            pass
        return self._digest.hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a backup. Raises ``StoreError`` in one line, also for what turns out broken while it is read."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as tar:
            yield Reader(path, tar)
    except OSError as error:
        if error.strerror is None:  # gzip's own: a wrong checksum, no gzip at all
            raise StoreError(f"{path} cannot be restored: it is broken ({error})") from error
        raise StoreError(f"{path} cannot be restored: {error.strerror}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise StoreError(
            f"{path} cannot be restored: it is broken or no backup ({error})"
        ) from error
