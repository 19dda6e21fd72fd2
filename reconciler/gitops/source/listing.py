"""The files of a large source, none of which lies in memory: listed at once, each read when it is asked for.

What is read first is the file from then on: whoever reads it again gets the same bytes, or ``SourceError``. A file
costs its path and some 50 bytes.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.gitops.source import contents
from reconciler.gitops.source.snapshot import File

#: Bytes of a SHA-256 digest.
DIGEST = 32


class Entry(NamedTuple):
    """One file: its path below the root with ``/``, where it lies (empty: there), and its bytes as they are now."""

    path: str
    target: str
    size: int


class Listing(Mapping[str, File]):
    """Files by their paths, in the order of paths."""

    __slots__ = ("_digests", "_known", "_paths", "_root", "_sizes", "_targets")

    def __init__(self, root: str, entries: list[Entry]) -> None:
        entries.sort()
        self._root = root
        self._paths = [entry.path for entry in entries]
        self._targets = {entry.path: entry.target for entry in entries if entry.target}
        self._sizes = array("I", [entry.size for entry in entries])
        self._digests = bytearray(DIGEST * len(entries))
        self._known = bytearray(len(entries))

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._find(path) is not None

    def __getitem__(self, path: str) -> File:
        """Return a file; its bytes are with it when this is the first look. Raises ``SourceError``."""
        number = self._find(path)
        if number is None:
            raise KeyError(path)
        target = self._targets.get(path) or f"{self._root}/{path}"
        if not self._known[number]:
            data = contents.listed(target, path)
            digest = hashlib.sha256(data)
            self._learn(number, digest.digest())
            return File(path, digest.hexdigest(), data)
        known = self._digest(number).hex()
        reading = functools.partial(contents.again, target, path, known)
        return File(path, known, reading, self._sizes[number])

    def learn(self, path: str, digest: bytes) -> None:
        """Take what a file's digest was when another process read it. Raises ``SourceError`` where it is another here."""
        number = bisect.bisect_left(self._paths, path)
        if self._known[number] and self._digest(number) != digest:
            raise contents.changed(path)
        self._learn(number, digest)

    def size(self, path: str) -> int:
        """Return how many bytes a file had when it was listed."""
        number = self._find(path)
        return 0 if number is None else self._sizes[number]

    def _digest(self, number: int) -> bytes:
        return bytes(self._digests[number * DIGEST : (number + 1) * DIGEST])

    def _learn(self, number: int, digest: bytes) -> None:
        self._digests[number * DIGEST : (number + 1) * DIGEST] = digest
        self._known[number] = 1

    def _find(self, path: str) -> int | None:
        number = bisect.bisect_left(self._paths, path)
        found = number < len(self._paths) and self._paths[number] == path
        return number if found else None
