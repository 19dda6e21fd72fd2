"""Folders beside a source that its kustomizations build on, as ``../../base`` of an overlay. Pure.

Files in them have paths that begin with ``../``: from the source's root, as its kustomizations name them.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from reconciler.gitops.source.selection import KUSTOMIZATIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reconciler.gitops.source.snapshot import File

#: What a kustomization reads directories by. Other fields name files, which kustomize's own loader keeps below it.
_LOADING = frozenset(
    {"resources", "bases", "components", "generators", "transformers", "validators", "crds", "configurations"}
)  # fmt: skip
_REMOTE = re.compile(
    r"://|^[\w.-]+@[\w.-]+:|^(github\.com|gitlab\.com|bitbucket\.org)[/:]|\?ref=|::"
)
#: So many folders beside it one source may build on.
MOST_FOLDERS = 64
#: What so many kustomizations name is remembered; then all of it is read again.
MOST_KNOWN = 1000


class Bases:
    """Remembers what each kustomization names."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[str, ...]] = {}

    def missing(self, files: Mapping[str, File], asked: Collection[str]) -> list[str]:
        """Return the folders beside the root that kustomizations among ``files`` name, without those in ``asked``.

        Folders above the root are none: nothing can be built of what it is a part of.
        """
        found: dict[str, None] = {}
        if len(self._named) > MOST_KNOWN:
            self._named.clear()
        for path, file in files.items():
            folder, _, name = path.rpartition("/")
            if name not in KUSTOMIZATIONS:
                continue
            if file.digest not in self._named:
                self._named[file.digest] = tuple(_entries_of(file, path))
            for entry in self._named[file.digest]:
                target = posixpath.normpath(posixpath.join(folder, entry))
                if target.startswith("../") and not is_above(target):
                    found[target] = None
        left = [t for t in found if not any(t == a or t.startswith(f"{a}/") for a in asked)]
        return left[: max(MOST_FOLDERS - len(asked), 0)]


def is_above(path: str) -> bool:
    """Whether a normal path leads to a folder that the root lies in."""
    return set(path.split("/")) == {".."}


def is_remote(entry: str) -> bool:
    """Whether an entry of a kustomization names what is on another host."""
    return _REMOTE.search(entry) is not None


def entries(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what a kustomization reads files and folders by, each with its place.

    Go reads field names without regard to case, so this does too.
    """
    if not isinstance(value, dict):
        return
    for name, listed in value.items():
        if str(name).lower() in _LOADING and isinstance(listed, list):
            for number, entry in enumerate(listed):
                if isinstance(entry, str) and "\n" not in entry:
                    yield (name, number), entry


def _entries_of(file: File, path: str) -> Iterator[str]:
    # A source that has no kustomization loads nothing for it.
    from reconciler.gitops.render import reader

    documents, _ = reader.read(file.data.decode("utf-8-sig", "replace"), path)
    for document in documents[:1]:
        for _, entry in entries(document.value):
            if not is_remote(entry) and not entry.startswith("/"):
                yield entry
