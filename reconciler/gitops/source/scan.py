"""Looking through a directory: which files are manifests, and what of them changed since the last look."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source.snapshot import File, Problem, Snapshot

#: A file larger than this is no manifest, in bytes; a directory deeper than this is not followed.
LARGEST_FILE = 5 * 1024 * 1024
DEEPEST = 32

_SUFFIXES = (".yaml", ".yml", ".json", ".j2")

#: What tells that a file's content may have changed.
Stamp = tuple[int, int, int, int, int]


class Known(NamedTuple):
    """A file as it was read last."""

    stamp: Stamp
    file: File


def is_manifest(name: str) -> bool:
    """Whether a file's name says that it may hold manifests."""
    return name.endswith(_SUFFIXES) and not name.startswith(".")


class Scanner:
    """Remembers what it has read: an unchanged file costs one ``stat``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, Known] = {}
        self._problems: list[Problem] = []

    def scan(self) -> Snapshot:
        """Read what changed. Raises ``SourceError`` when the root cannot be read."""
        self._problems = []
        found: dict[str, Known] = {}
        try:
            root = self._root.resolve(strict=True)
            if root.is_dir():
                os.listdir(root)  # noqa: PTH208 - asks for the permission, before anything else
                self._directory(root, root, "", found, frozenset(), 0)
            else:
                self._file(root, root.name, found)
        except OSError as error:
            raise SourceError(f"{self._root}: {error.strerror or error}") from error
        except RuntimeError as error:  # a loop of symbolic links
            raise SourceError(f"{self._root}: {error}") from error
        self._known = found
        files = {path: found[path].file for path in sorted(found)}
        digest = hashlib.sha256()
        for path, file in files.items():
            digest.update(f"{path}\0{file.digest}\0".encode("utf-8", "surrogateescape"))
        for problem in self._problems:
            digest.update(
                f"!{problem.path}\0{problem.message}\0".encode("utf-8", "surrogateescape")
            )
        return Snapshot(f"sha256:{digest.hexdigest()[:16]}", files, tuple(self._problems))

    def _directory(
        self,
        root: Path,
        directory: Path,
        prefix: str,
        found: dict[str, Known],
        above: frozenset[tuple[int, int]],
        depth: int,
    ) -> None:
        if depth > DEEPEST:
            self._problems.append(
                Problem(prefix, "source/too-deep", f"deeper than {DEEPEST} directories")
            )
            return
        try:
            info = directory.stat()
            entries = sorted(os.scandir(directory), key=lambda e: e.name)
        except OSError as error:
            self._problems.append(
                Problem(prefix or ".", "source/unreadable", f"cannot be read: {error.strerror}")
            )
            return
        identity = (info.st_dev, info.st_ino)
        if identity in above:
            return  # a symbolic link back to a directory above: its files are already read
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = f"{prefix}{entry.name}"
            try:
                target = self._inside(root, entry, path)
                if target is None:
                    continue
                if target.is_dir():
                    self._directory(root, target, path + "/", found, above | {identity}, depth + 1)
                elif is_manifest(entry.name):
                    self._file(target, path, found)
            except OSError as error:
                if is_manifest(entry.name):
                    why = f"cannot be read: {error.strerror}"
                    self._problems.append(Problem(path, "source/unreadable", why))
            except RuntimeError:
                self._problems.append(
                    Problem(path, "source/loop", "a symbolic link leads back to itself")
                )

    def _inside(self, root: Path, entry: os.DirEntry[str], path: str) -> Path | None:
        """Return what an entry stands for; None, and a problem, where that lies outside the root."""
        if not entry.is_symlink():
            return Path(entry.path)
        target = Path(entry.path).resolve(strict=True)
        if target != root and root not in target.parents:
            self._problems.append(
                Problem(path, "source/outside", "a symbolic link leads outside of the directory")
            )
            return None
        return target

    def _file(self, target: Path, path: str, found: dict[str, Known]) -> None:
        info = target.stat()
        if not stat.S_ISREG(info.st_mode):
            return
        stamp = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            found[path] = known
            return
        if info.st_size > LARGEST_FILE:
            self._problems.append(
                Problem(path, "source/too-large", f"larger than {LARGEST_FILE // 1024 // 1024} MiB")
            )
            return
        data = self._read(target)
        digest = hashlib.sha256(data).hexdigest()
        found[path] = Known(stamp, File(path, digest, data))

    @staticmethod
    def _read(target: Path) -> bytes:
        # The link was resolved: if it is one again now, somebody is playing tricks.
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise OSError(errno.EFBIG, "File too large")
        return data
