"""A document: an object, and where each of its parts stands."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.gitops.finding import Finding, ObjectName, pointer
from reconciler.gitops.render import reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Object
    from reconciler.gitops.render.reader import Path


class Origin(NamedTuple):
    """Where an object begins: lines and columns from 1, documents of a file and items of a List from 0."""

    file: str
    line: int
    column: int
    document: int = 0
    item: int | None = None


class Positions:
    """Where the parts of a text's documents stand. Worked out when first asked: most documents are sound."""

    __slots__ = ("_text",)

    def __init__(self, text: str | bytes) -> None:
        self._text = text

    def of(self, document: int) -> Mapping[Path, tuple[int, int]]:
        """Return (line, column) of every key and item of a document, by path."""
        found = _marks(self)
        return found[document] if document < len(found) else {}

    def text(self) -> str:
        """Return the text that was read."""
        return self._text if isinstance(self._text, str) else self._text.decode("utf-8-sig")


@functools.lru_cache(maxsize=32)
def _marks(positions: Positions) -> list[reader.Marks]:
    return reader.marks(positions.text())


class Document(NamedTuple):
    """One object, and where it stands. A document is the same one as long as its text is."""

    object: Object
    origin: Origin
    positions: Positions

    def position(self, path: Path) -> tuple[int, int]:
        """Return where a path stands; for one that is not there, where its nearest parent does."""
        item = self.origin.item
        full: Path = path if item is None else ("items", item, *path)
        known = self.positions.of(self.origin.document)
        while len(full) > (0 if item is None else 2):
            if full in known:
                return known[full]
            full = full[:-1]
        return self.origin.line, self.origin.column

    def finding(
        self,
        rule: str,
        severity: str,
        message: str,
        path: Path = (),
        hint: str = "",
        *,
        expected: str = "",
        got: str = "",
    ) -> Finding:
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
            self.origin.document, self.origin.item, name, pointer(path), hint, expected, got,
        )  # fmt: skip


class Rendered(NamedTuple):
    """What a snapshot's files hold, and what is wrong with them as files."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
