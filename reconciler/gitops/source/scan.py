"""Looking through a directory: which files are manifests, and what of them changed since the last look."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source import contents
from reconciler.gitops.source.beside import Beside
from reconciler.gitops.source.contents import LARGEST_FILE
from reconciler.gitops.source.listing import Entry, Listing
from reconciler.gitops.source.selection import Selection, is_built, is_state
from reconciler.gitops.source.snapshot import File, Problem, Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

#: A directory deeper than this is not followed.
DEEPEST = 32

#: All that one source may hold, in bytes.
LARGEST_SOURCE = 256 * 1024 * 1024

#: What tells that a file's content may have changed.
Stamp = tuple[int, int, int, int, int]


class Known(NamedTuple):
    """A file as it was read last."""

    stamp: Stamp
    file: File


class Scanner:
    """Remembers what it has read: an unchanged file costs one ``stat``, an unchanged directory no new snapshot.

    ``everything``: read files of every name, as Kustomize and Helm need; so it is, too, where the root holds what
    they build.
    """

    def __init__(
        self,
        root: Path,
        *,
        everything: bool = False,
        within: Path | None = None,
        listed: bool = False,
    ) -> None:
        """``within``: the folder in which kustomizations may name others; None: the git checkout that holds the root.

        ``listed``: manifests are not read yet, but each when it is asked for; the snapshot has no revision. For one look.
        """
        self._listed = listed
        self._entries: list[Entry] = []
        self._given = root
        self._everything = everything
        self._select = Selection(everything)
        self._size = 0
        self._root = ""
        self._known: dict[str, Known] = {}
        self._found: dict[str, Known] = {}
        self._problems: list[Problem] = []
        self._linked = False
        self._states: list[str] = []
        self._is_directory = False
        self._last: Snapshot | None = None
        self._beside = Beside(lambda folder: Scanner(folder, everything=True).look, within)

    def scan(self, touched: Collection[str] | None = None) -> Snapshot:
        """Read what changed. Raises ``SourceError`` when the root cannot be read.

        ``touched`` are the only files, as paths below the root, that can have changed; None: any can. The same object
        is returned as long as nothing changed.
        """
        if touched is None or self._last is None or not self._look_at(touched):
            self._last = self.look()
        if not self._select.everything or not self._is_directory:
            return self._last
        return self._beside.added(self._root, self._last)

    @property
    def beside(self) -> tuple[str, ...]:
        """The folders beside the root that were read, too, at the last look."""
        return self._beside.folders

    def _look_at(self, touched: Collection[str]) -> bool:
        """Look at some files; returns whether that was enough to know the whole."""
        if self._problems or self._linked or self._last is None:
            return False  # through a link one file can have several paths
        if not self._select.everything and is_built(touched):
            return False
        # Of any name: what became a link to a directory holds manifests.
        states = tuple(self._states)
        seen = [p for p in touched if self._select.sees(p) and not p.startswith(states)]
        self._found = found = dict(self._known)
        self._size = 0
        try:
            for path in seen:
                target = f"{self._root}/{path}"
                found.pop(path, None)
                with contextlib.suppress(FileNotFoundError):
                    info = os.lstat(target)
                    if not stat.S_ISREG(info.st_mode) or os.path.realpath(target) != target:
                        return False
                    if self._select.path(path):
                        self._file(target, path, info)
        except OSError:
            return False
        if self._problems:
            return False
        if len(found) != len(self._known) or any(
            self._known.get(p) is not found.get(p) for p in seen
        ):
            self._known = found
            self._last = _snapshot(found, [])
        return True

    def look(self) -> Snapshot:
        """Do the same for what lies below the root alone, whatever can have changed."""
        self._linked = False
        self._problems, self._found, self._size, self._states = [], {}, 0, []
        try:
            self._root = os.path.realpath(self._given, strict=True)
            self._is_directory = os.path.isdir(self._root)  # noqa: PTH112 - see below
            if self._is_directory:
                names = os.listdir(self._root)  # noqa: PTH208 - asks for the permission, before anything else
                self._select = Selection(self._everything or is_built(names))
                self._directory(self._root, "", frozenset(), 0)
            else:
                path = os.path.basename(self._root)  # noqa: PTH119
                self._file(self._root, path, os.stat(self._root))  # noqa: PTH116
        except OSError as error:
            raise SourceError(f"{self._given}: {error.strerror or error}") from error
        self._problems.sort()
        if self._listed and not self._select.everything:
            files, self._entries = Listing(self._root, self._entries), []
            return Snapshot("", files, tuple(self._problems))
        known, found = self._known, self._found
        same = len(known) == len(found) and all(known.get(p) is k for p, k in found.items())
        if same and self._last is not None and tuple(self._problems) == self._last.problems:
            return self._last
        self._known = found
        self._last = _snapshot(found, self._problems)
        return self._last

    def _directory(
        self, directory: str, prefix: str, above: frozenset[tuple[int, int]], depth: int
    ) -> None:
        if depth > DEEPEST:
            self._problem(prefix, "source/too-deep", f"deeper than {DEEPEST} directories")
            return
        try:
            info = os.stat(directory)  # noqa: PTH116
            with os.scandir(directory) as listing:
                all_of_them = list(listing)
        except OSError as error:
            self._problem(prefix or ".", "source/unreadable", f"cannot be read: {error.strerror}")
            return
        identity = (info.st_dev, info.st_ino)
        if identity in above:
            return  # a symbolic link back to a directory above: its files are already read
        if is_state({e.name for e in all_of_them}):
            self._states.append(prefix)
            return
        for entry in (e for e in all_of_them if self._select.directory(e.name)):
            path = prefix + entry.name
            try:
                if entry.is_symlink():
                    self._link(entry, path, above | {identity}, depth)
                elif entry.is_dir(follow_symlinks=False):
                    self._directory(entry.path, path + "/", above | {identity}, depth + 1)
                elif self._select.file(entry.name):
                    self._file(entry.path, path, entry.stat(follow_symlinks=False))
            except FileNotFoundError as error:
                if entry.is_symlink():
                    self._unreadable(entry, path, error)
            except OSError as error:
                self._unreadable(entry, path, error)

    def _link(
        self, entry: os.DirEntry[str], path: str, above: frozenset[tuple[int, int]], depth: int
    ) -> None:
        """Follow a symbolic link, as long as it stays inside of the root."""
        self._linked = True
        target = os.path.realpath(entry.path, strict=True)
        info = os.stat(target)  # noqa: PTH116
        directory = stat.S_ISDIR(info.st_mode)
        if not directory and not self._select.file(entry.name):
            return
        if target != self._root and not target.startswith(self._root.rstrip("/") + "/"):
            self._problem(path, "source/outside", "a symbolic link leads outside of the directory")
        elif directory:
            self._directory(target, path + "/", above, depth + 1)
        else:
            self._file(target, path, info)

    def _unreadable(self, entry: os.DirEntry[str], path: str, error: OSError) -> None:
        if error.errno == errno.ELOOP:
            self._problem(path, "source/loop", "a symbolic link leads back to itself")
        elif self._select.file(entry.name):
            self._problem(path, "source/unreadable", f"cannot be read: {error.strerror}")

    def _problem(self, path: str, rule: str, message: str) -> None:
        self._problems.append(Problem(path, rule, message))

    def _file(self, target: str, path: str, info: os.stat_result) -> None:
        if not stat.S_ISREG(info.st_mode):
            return
        self._size += info.st_size
        if self._size > LARGEST_SOURCE:
            told = f"the source is larger than {LARGEST_SOURCE // 1024 // 1024} MiB"
            self._problem(path, "source/too-large", told)
            return
        stamp = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            self._found[path] = known
            return
        if info.st_size > LARGEST_FILE:
            told = f"larger than {LARGEST_FILE // 1024 // 1024} MiB"
            self._problem(path, "source/too-large", told)
            return
        if self._listed and not self._select.everything:
            if not os.access(target, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            there = "" if target == f"{self._root}/{path}" else target
            self._entries.append(Entry(path, there, info.st_size))
            return
        data = contents.read(target)
        file = File(path, hashlib.sha256(data).hexdigest(), data)
        self._found[path] = Known(stamp, file)


def _snapshot(found: dict[str, Known], problems: list[Problem]) -> Snapshot:
    files = {path: found[path].file for path in sorted(found)}
    lines = [f"{path}\0{file.digest}\0" for path, file in files.items()]
    lines += [f"!{problem.path}\0{problem.message}\0" for problem in problems]
    digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape"))
    return Snapshot(f"sha256:{digest.hexdigest()[:16]}", files, tuple(problems))
