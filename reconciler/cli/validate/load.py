"""What lies at paths, rendered and checked as one set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.building import build, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.ignores import Ignored
    from reconciler.gitops.render import Document
    from reconciler.gitops.source import Snapshot


def snapshot_of(path: Path) -> Snapshot:
    """Read a directory or file once; ``-`` is standard input. Raises ``SourceError``."""
    if str(path) == "-":
        return _stdin()
    from reconciler.gitops.source.scan import Scanner

    return Scanner(path).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    name = _naming(path)
    return [f._replace(file=name.of(f.file)) for f in findings]


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path, but for what its comments ignore. Raises ``SourceError``."""
    loaded = [load(path, source_of(values, sets or {}))]
    return apply_ignores(check(loaded, references=True), loaded, references=True)[0]


class Naming(NamedTuple):
    """How a user names the files of a snapshot: below the directory that was given, or the one file itself."""

    given: str
    directory: bool

    def of(self, path: str) -> str:
        """Return a file's name as from here."""
        if not self.directory:
            return self.given
        return (
            path
            if self.given == "." or path.startswith("/")
            else f"{self.given.rstrip('/')}/{path}"
        )


def _naming(path: Path) -> Naming:
    return Naming(str(path), path.is_dir())


class Loaded(NamedTuple):
    """What lies at one path; documents and findings are named as from here."""

    snapshot: Snapshot
    naming: Naming
    documents: Sequence[Document]
    findings: Sequence[Finding]

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name and text of every file."""
        for path, file in self.snapshot.files.items():
            yield self.naming.of(path), file.data.decode("utf-8-sig", "replace")


def load(path: Path, source: Mapping[str, Any]) -> Loaded:
    """Read what lies at a path and build it as an Application with this ``spec.source`` would. Raises ``SourceError``."""
    snapshot, naming = snapshot_of(path), _naming(path)
    rendered = build(snapshot, source)
    documents = [d.named(naming.of(d.origin.file)) for d in rendered.documents]
    return Loaded(snapshot, naming, documents, named_from(path, rendered.findings))


def _stdin() -> Snapshot:
    from hashlib import sha256

    from reconciler.gitops.source import File, Snapshot

    data = sys.stdin.buffer.read()
    return Snapshot("", {"-": File("-", sha256(data).hexdigest(), data)})


def check(loaded: Iterable[Loaded], *, references: bool) -> list[Finding]:
    """Check several paths as one set: what one of them names may lie in another."""
    from reconciler.gitops.validate import validate
    from reconciler.runtime.process.fields import HONOURED

    documents = [d for one in loaded for d in one.documents]
    found = validate(documents, references=references, honoured=HONOURED)
    return [*(f for one in loaded for f in one.findings), *found]


def apply_ignores(
    findings: Iterable[Finding], loaded: Iterable[Loaded], *, references: bool
) -> tuple[list[Finding], list[Ignored]]:
    """Return what remains of findings, and what comments in the files silence."""
    from reconciler.gitops import ignores

    texts = (text for one in loaded for text in one.texts())
    return ignores.apply(
        findings, texts, asked=lambda rule: references or not rule.startswith("reference/")
    )
