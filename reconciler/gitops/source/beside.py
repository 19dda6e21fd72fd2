"""The folders beside a directory that its kustomizations build on: looked through like the directory itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SourceError
from reconciler.gitops.source.bases import Bases
from reconciler.gitops.source.selection import is_private
from reconciler.gitops.source.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.gitops.source.snapshot import File, Problem

#: Stands for a folder that is not there, or may not be read.
_NOTHING = Snapshot("", {})


class Beside:
    """What of them a source holds. ``within`` is the folder that none of them may lie outside of.

    Where it is None that is the git checkout that holds the source; without one there are none.
    """

    def __init__(self, look: Callable[[Path], Callable[[], Snapshot]], within: Path | None) -> None:
        self._look = look
        self._within = within
        self._bases = Bases()
        self._looks: dict[str, Callable[[], Snapshot]] = {}
        self._last: tuple[list[Snapshot], Snapshot] | None = None
        self.folders: tuple[str, ...] = ()

    def added(self, root: str, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot of ``root`` (its real path) with them; the same as long as nothing changed."""
        found: dict[str, Snapshot] = {}
        new = snapshot.files
        while targets := self._bases.missing(new, found):
            new = {}
            for target in targets:
                found[target] = one = self._one(root, target)
                new = new | _below(target, one)
        found = {t: s for t, s in found.items() if s is not _NOTHING}
        self._looks = {t: look for t, look in self._looks.items() if t in found}
        self.folders = tuple(os.path.normpath(f"{root}/{t}") for t in found)
        if not found:
            self._last = None
            return snapshot
        parts = [snapshot, *found.values()]
        if (
            self._last is None
            or len(self._last[0]) != len(parts)
            or any(a is not b for a, b in zip(self._last[0], parts, strict=True))
        ):
            self._last = (parts, _together(snapshot, found))
        return self._last[1]

    def _one(self, root: str, target: str) -> Snapshot:
        folder = os.path.normpath(f"{root}/{target}")
        within = _checkout(root) if self._within is None else os.path.realpath(self._within)
        real = os.path.realpath(folder)
        if (
            within is None
            or real != folder  # a link on the way: it may lead anywhere by the next look
            or not real.startswith(within.rstrip("/") + "/")
            or f"{root}/".startswith(f"{real}/")
            or is_private(os.path.relpath(real, within))
            or not Path(real).is_dir()
        ):
            return _NOTHING
        look = self._looks.get(target)
        if look is None:
            look = self._looks[target] = self._look(Path(real))
        try:
            return look()
        except SourceError:
            return _NOTHING  # it went just now


def _checkout(root: str) -> str | None:
    """Return the top of the git checkout that holds a folder."""
    folder = Path(root)
    return next((str(p) for p in (folder, *folder.parents) if (p / ".git").exists()), None)


def _below(target: str, snapshot: Snapshot) -> dict[str, File]:
    return {
        f"{target}/{path}": file.renamed(f"{target}/{path}")
        for path, file in snapshot.files.items()
    }


def _together(snapshot: Snapshot, found: dict[str, Snapshot]) -> Snapshot:
    files = dict(snapshot.files)
    problems: list[Problem] = list(snapshot.problems)
    digest = hashlib.sha256(snapshot.revision.encode())
    for target, one in found.items():
        files |= _below(target, one)
        problems += (p._replace(path=f"{target}/{p.path}") for p in one.problems)
        digest.update(f"\0{target}\0{one.revision}".encode("utf-8", "surrogateescape"))
    revision = f"sha256:{digest.hexdigest()[:16]}"
    return snapshot._replace(revision=revision, files=files, problems=tuple(problems))
