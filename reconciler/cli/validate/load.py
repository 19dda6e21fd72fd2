"""From paths to what lies there: read, named as the user names it, and checked as one set."""

from __future__ import annotations

import heapq
import itertools
import json
import sys
from collections.abc import Collection
from posixpath import normpath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.building import source_of, within_of
from reconciler.gitops.source.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.cli.validate.checked import Checked
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.ignores import Ignored
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks


def snapshot_of(path: Path, *, listed: bool = False) -> Snapshot:
    """Read a directory or file once; ``-`` is standard input. Raises ``SourceError``.

    ``listed``: files are read when they are asked for, and do not stay in memory.
    """
    if str(path) == "-":
        return _stdin()
    from reconciler.gitops.source.scan import Scanner

    return Scanner(path, within=within_of(path), listed=listed).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    name = _naming(path)
    return [f._replace(file=name.of(f.file)) for f in findings]


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path, but for what its comments ignore. Raises ``SourceError``."""
    options = Options(json.dumps(source_of(values, sets or {}), default=str))
    from reconciler.cli.validate.check import check

    read = [read_path(path)]
    return list(apply_ignores(check(read, options), read, references=True)[0])


class Options(NamedTuple):
    """Everything that findings depend on besides the files. Its key names what is kept: leave nothing out."""

    source: str = "{}"  # an Application's spec.source, as JSON
    references: bool = True
    checks: Checks | None = None  # None: as nobody asked for anything

    def key(self) -> str:
        """Return a text that differs when findings may."""
        return repr((self.source, self.references, self.checks and self.checks.key()))


class Naming(NamedTuple):
    """How a user names the files of a snapshot: below the directory that was given, or the one file itself."""

    given: str
    directory: bool

    def of(self, path: str) -> str:
        """Return a file's name as from here."""
        if not self.directory:
            return self.given
        if path.startswith("../"):
            return normpath(f"{self.given}/{path}")
        if self.given == "." or path.startswith("/"):
            return path
        return f"{self.given.rstrip('/')}/{path}"


def _naming(path: Path) -> Naming:
    return Naming(str(path), path.is_dir())


class Read(NamedTuple):
    """What lies at one path."""

    snapshot: Snapshot
    naming: Naming

    def file(self, name: str) -> File | None:
        """Return a file by its name as from here."""
        files, naming = self.snapshot.files, self.naming
        inside = (name, name.removeprefix(f"{naming.given.rstrip('/')}/"))
        others = (p for p in files if p.startswith("../") or not naming.directory)
        paths = (p for p in itertools.chain(inside, others) if p in files and naming.of(p) == name)
        path = next(paths, None)
        return None if path is None else files[path]


class Names(Collection[str]):
    """The names of all files that were read, in order, each once."""

    def __init__(self, read: Sequence[Read]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[str]:
        several = []
        for one in self._read:
            names = map(one.naming.of, one.snapshot.files)
            # What is listed lies below one directory: names are in the order of paths.
            several.append(names if isinstance(one.snapshot.files, Listing) else sorted(names))
        return (name for name, _ in itertools.groupby(heapq.merge(*several)))

    def __len__(self) -> int:
        if len(self._read) == 1:
            return len(self._read[0].snapshot.files)
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(one.file(str(name)) is not None for one in self._read)


def read_path(path: Path) -> Read:
    """Look at what lies at a path; its manifests are not read yet. Raises ``SourceError``."""
    return Read(snapshot_of(path, listed=True), _naming(path))


def _stdin() -> Snapshot:
    from hashlib import sha256

    from reconciler.gitops.source import File, Snapshot

    data = sys.stdin.buffer.read()
    return Snapshot("", {"-": File("-", sha256(data).hexdigest(), data)})


def apply_ignores(
    checked: Checked, read: Sequence[Read], *, references: bool
) -> tuple[Iterable[Finding], list[Ignored]]:
    """Return what remains of what was found, and what comments in the files silence."""
    from reconciler.gitops import ignores

    commented = checked.commented
    if not commented:
        return checked.findings, []
    kept, silenced = ignores.apply(
        (f for f in checked.findings if f.file in commented),
        ((name, text_of(read, name)) for name in sorted(commented)),
        asked=lambda rule: references or not rule.startswith("reference/"),
    )
    others = (f for f in checked.findings if f.file not in commented)
    return itertools.chain(others, kept), silenced


def text_of(read: Iterable[Read], name: str) -> str:
    """Return the text of a file by its name as from here; none where there is no such file."""
    file = next((file for one in read if (file := one.file(name)) is not None), None)
    return file.data.decode("utf-8-sig", "replace") if file is not None else ""
