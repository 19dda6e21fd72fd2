"""What lies at paths, rendered and checked as one set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.source import Snapshot


def snapshot_of(path: Path) -> Snapshot:
    """Read a directory or file once. Raises ``SourceError``."""
    from reconciler.gitops.source.scan import Scanner

    return Scanner(path).scan()


def named_from(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings whose files are named as the user would from here."""
    if not path.is_dir():
        return [f._replace(file=str(path)) for f in findings]
    return [f._replace(file=str(path / f.file)) for f in findings]


def values_from(files: Iterable[str], sets: Mapping[str, Any]) -> dict[str, Any]:
    from reconciler.gitops.engine.desired import values_of

    templates = {"values": list(files), "set": dict(sets)}
    return values_of({"spec": {"source": {"templates": templates}}})


def validate_path(
    path: Path, values: Iterable[str] = (), sets: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Return what is wrong with everything at a path. Raises ``SourceError``."""
    loaded = load(path, values_from(values, sets or {}))
    return check([loaded], references=True)


class Loaded(NamedTuple):
    """What lies at one path, named as from here."""

    files: int
    documents: list[Document]
    findings: list[Finding]


def load(path: Path, values: Mapping[str, Any]) -> Loaded:
    snapshot = _stdin() if str(path) == "-" else snapshot_of(path)
    return _rendered(snapshot, path, values)


def _rendered(snapshot: Snapshot, path: Path, values: Mapping[str, Any]) -> Loaded:
    from reconciler.gitops.render import render

    rendered = render(snapshot, values=values)
    directory = path.is_dir()
    documents = []
    for document in rendered.documents:
        file = str(path / document.origin.file) if directory else str(path)
        documents.append(document._replace(origin=document.origin._replace(file=file)))
    return Loaded(len(snapshot.files), documents, named_from(path, rendered.findings))


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
