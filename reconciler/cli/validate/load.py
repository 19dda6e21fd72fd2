"""From paths to findings: what lies there is read, rendered and checked as one set, each unchanged file only once ever."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.building import build, located, source_of, within_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.cli.validate.cache import VerdictCache
    from reconciler.cli.validate.records import FileRecord
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.ignores import Ignored
    from reconciler.gitops.render import Document
    from reconciler.gitops.source import File, Snapshot
    from reconciler.gitops.validate import Checks, ValidateCache, Verdict


#: So many bytes of manifests are held while they are checked; those of more are read twice.
HELD = 16 * 1024 * 1024


def snapshot_of(path: Path, held: int | None = None) -> Snapshot:
    """Read a directory or file once; ``-`` is standard input. Raises ``SourceError``.

    ``held``: so many bytes stay in memory (None: all).
    """
    if str(path) == "-":
        return _stdin()
    from reconciler.gitops.source.scan import LARGEST_SOURCE, Scanner

    most = LARGEST_SOURCE if held is None else held
    return Scanner(path, within=within_of(path), held=most).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    name = _naming(path)
    return [f._replace(file=name.of(f.file)) for f in findings]


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path, but for what its comments ignore. Raises ``SourceError``."""
    options = Options(json.dumps(source_of(values, sets or {}), default=str))
    read = [read_path(path)]
    return apply_ignores(check(read, options), read, references=True)[0]


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

    def named(self) -> dict[str, File]:
        """Return the files by their names as from here."""
        return {self.naming.of(path): file for path, file in self.snapshot.files.items()}


def read_path(path: Path) -> Read:
    """Read what lies at a path: of large sets not everything stays in memory. Raises ``SourceError``."""
    return Read(snapshot_of(path, HELD), _naming(path))


def _stdin() -> Snapshot:
    from hashlib import sha256

    from reconciler.gitops.source import File, Snapshot

    data = sys.stdin.buffer.read()
    return Snapshot("", {"-": File("-", sha256(data).hexdigest(), data)})


class Checked(NamedTuple):
    """What was found. ``verdicts`` are those of each document; none where the whole is known from an earlier run.

    ``commented`` are the names of the files that hold a comment for us.
    """

    documents: int
    findings: tuple[Finding, ...]
    commented: frozenset[str] = frozenset()
    verdicts: tuple[tuple[Document, Verdict], ...] = ()


def check(
    read: Sequence[Read],
    options: Options,
    *,
    cache: VerdictCache | None = None,
    jobs: int | None = None,
    whole: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Check several paths as one set: what one of them names may lie in another.

    ``jobs`` worker processes at most (None: as many as are worth it); ``whole``: with the verdict of every document.
    """
    from reconciler.cli.validate import cache as caching

    of_all = of_files = ""
    if any(_has_tool(one.snapshot) for one in read):
        cache = None  # what a tool writes depends on more than is known here
    if options.checks is not None and not options.checks.schemas.stable:
        cache = None
    if cache is not None:
        code = caching.code() + _given(options)
        of_files = (
            "files-" + caching.digest(code, options.key(), *(one.naming for one in read))[:40]
        )
        contents = (
            part
            for one in read
            for part in (
                one.naming, *one.snapshot.problems,
                *(f"{path} {file.digest}" for path, file in one.snapshot.files.items()),
            )
        )  # fmt: skip
        of_all = "set-" + caching.digest(code, options.key(), *contents)[:40]
        known = None if whole else cache.get(of_all)
        if known is not None:
            return Checked(known[0], known[1], frozenset(known[2]))
    known = (cache.get(of_files) if cache is not None else None) or {}
    records = _records(read, known, jobs, progress, options.checks)
    checked = _joined(read, records, options)
    if cache is not None:
        if records.keys() != known.keys():
            cache.put(of_files, records)
        cache.put(of_all, (*checked[:2], sorted(checked.commented)))
    return checked


def _has_tool(snapshot: Snapshot) -> bool:
    """Whether Kustomize or Helm makes a source's manifests: its files are none themselves."""
    from reconciler.gitops.source.selection import CHART, KUSTOMIZATIONS

    return any(name in snapshot.files for name in (*KUSTOMIZATIONS, CHART))


def _given(options: Options) -> str:
    """Return a digest of the values files that lie outside of what is checked."""
    from reconciler.cli.validate.cache import digest

    names = (json.loads(options.source).get("templates") or {}).get("values") or ()
    return digest(*(Path(n).read_bytes() if Path(n).is_file() else "" for n in names))


def _records(
    read: Sequence[Read],
    known: Mapping[str, FileRecord],
    jobs: int | None,
    progress: Callable[[int], None],
    checks: Checks | None,
) -> dict[str, FileRecord]:
    """Return the records of every file that has one, in the order of files."""
    from reconciler.cli.validate import records
    from reconciler.runtime.process.fields import HONOURED

    found: dict[str, FileRecord] = {}
    for one in read:
        if _has_tool(one.snapshot):
            continue
        new = records.missing(one.snapshot, known)
        several = jobs if jobs is not None else records.jobs_for(new)
        if several > 1:
            made = records.record_in_processes(new, HONOURED, several, progress, checks)
        else:
            made = records.record(new, HONOURED, progress, checks)
        for path, file in one.snapshot.files.items():
            if records.recordable(file):
                name = records.entry(file)
                found[name] = made[path] if path in made else known[name]
    return found


def _joined(read: Sequence[Read], records: Mapping[str, FileRecord], options: Options) -> Checked:
    """Put together what is known of files, and check what they say of one another."""
    from reconciler.gitops.validate import Checks, ValidateCache, validate
    from reconciler.runtime.process.fields import HONOURED

    cache = ValidateCache()
    documents: list[Document] = []
    findings: list[Finding] = []
    known: list[tuple[Document, Verdict]] = []
    for one in read:
        found = _rendered(one, records, json.loads(options.source))
        documents += found.documents
        findings += found.findings
        known += found.known
    checks = Checks() if options.checks is None else options.checks
    cache.prime(known, HONOURED, checks=checks)
    findings += validate(
        documents, references=options.references, honoured=HONOURED, cache=cache, checks=checks
    )
    return Checked(
        len(documents),
        tuple(findings),
        frozenset(_commented(read, records)),
        _verdicts(documents, cache, checks),
    )


def _commented(read: Sequence[Read], records: Mapping[str, FileRecord]) -> Iterator[str]:
    from reconciler.cli.validate.records import entry
    from reconciler.gitops.ignores import MARK

    for one in read:
        for path, file in one.snapshot.files.items():
            record = records.get(entry(file))
            if record.commented if record is not None else MARK in file.data:
                yield one.naming.of(path)


def _verdicts(
    documents: Sequence[Document], cache: ValidateCache, checks: Checks
) -> tuple[tuple[Document, Verdict], ...]:
    from reconciler.runtime.process.fields import HONOURED

    return tuple(
        zip(documents, cache.verdicts(documents, HONOURED, "default", checks), strict=True)
    )


class _Rendered(NamedTuple):
    documents: list[Document]
    findings: list[Finding]
    known: list[tuple[Document, Verdict]]


def _rendered(one: Read, records: Mapping[str, FileRecord], source: Mapping[str, Any]) -> _Rendered:
    """Render what has no record; of the rest, make documents that read their objects when asked."""
    from reconciler.cli.validate.records import entry
    from reconciler.gitops.render import RenderCache
    from reconciler.gitops.render.document import Document, Positions

    cache = RenderCache()
    verdicts: dict[int, Verdict] = {}
    for path, file in one.snapshot.files.items():
        record = records.get(entry(file))
        if record is None or not record.whole:
            continue
        positions = Positions(file)
        made = [Document(None, origin, positions, name) for origin, name, _ in record.documents]
        cache.prime(path, file.digest, made, record.findings)
        for document, (_, _, verdict) in zip(made, record.documents, strict=True):
            verdicts[id(document)] = verdict
    rendered = build(one.snapshot, located(source, Path(one.naming.given)), cache=cache)
    result = _Rendered([], [f._replace(file=one.naming.of(f.file)) for f in rendered.findings], [])
    for document in rendered.documents:
        name = one.naming.of(document.origin.file)
        named = document.named(name)
        result.documents.append(named)
        if id(document) in verdicts:
            known = verdicts[id(document)]
            if known.findings:
                told = tuple(f._replace(file=name) for f in known.findings)
                known = known._replace(findings=told)
            result.known.append((named, known))
    return result


def apply_ignores(
    checked: Checked, read: Iterable[Read], *, references: bool
) -> tuple[list[Finding], list[Ignored]]:
    """Return what remains of what was found, and what comments in the files silence."""
    from reconciler.gitops import ignores

    texts = (
        (name, file.data.decode("utf-8-sig", "replace"))
        for one in read
        for name, file in (one.named().items() if checked.commented else ())
        if name in checked.commented
    )
    return ignores.apply(
        checked.findings,
        texts,
        asked=lambda rule: references or not rule.startswith("reference/"),
    )
