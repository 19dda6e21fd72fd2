"""A document: an object, and where each of its parts stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.gitops.finding import Finding, ObjectName, pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object

Path = tuple[str | int, ...]


class Origin(NamedTuple):
    """Where an object begins: lines and columns from 1, documents of a file and items of a List from 0."""

    file: str
    line: int
    column: int
    document: int = 0
    item: int | None = None


class Document(NamedTuple):
    """One object. ``marks`` has (line, column) of every key and item, by path from the document's root."""

    object: Object
    origin: Origin
    marks: Mapping[Path, tuple[int, int]]
    digest: str = ""

    def position(self, path: Path) -> tuple[int, int]:
        """Return where a path stands; for one that is not there, where its nearest parent does."""
        prefix: Path = () if self.origin.item is None else ("items", self.origin.item)
        full = (*prefix, *path)
        while full:
            if full in self.marks:
                return self.marks[full]
            full = full[:-1]
        return self.origin.line, self.origin.column

    def finding(self, rule: str, severity: str, message: str, path: Path = ()) -> Finding:
        """Return a finding about a part of this document."""
        line, column = self.position(path)
        meta: Any = self.object.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        name = ObjectName(
            str(self.object.get("apiVersion") or ""),
            str(self.object.get("kind") or ""),
            str(meta.get("namespace") or ""),
            str(meta.get("name") or ""),
        )
        return Finding(
            rule, severity, message, self.origin.file, line, column,
            self.origin.document, self.origin.item, name, pointer(path),
        )  # fmt: skip


class Rendered(NamedTuple):
    """What a snapshot's files hold, and what is wrong with them as files."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
