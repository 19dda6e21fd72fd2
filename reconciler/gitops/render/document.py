"""A document: an object, and where each of its parts stands."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.gitops.finding import Finding, ObjectName, pointer
from reconciler.gitops.render import reader
from reconciler.gitops.render.place import Span
from reconciler.gitops.render.scalar import NotJson, plain

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.render.place import Path, Places
    from reconciler.gitops.render.written import Written
    from reconciler.gitops.source import File

#: How a hint begins that is followed by the value between quotes: as it is written, which may be yes for true.
_QUOTE = "quote it: "
_UNKNOWN = "schema/unknown-field"

#: Rules whose culprit is a key, or what lacks one; of all others it is the value.
_OF_KEYS = ("unknown-field", "required", "duplicate-key", "not-honoured", "forbidden")


class Origin(NamedTuple):
    """Where an object begins: lines and columns from 1, documents of a file and items of a List from 0.

    ``start`` and ``stop`` are the characters of the text that the document lies in, ``first_line`` the line of ``start``.
    For a template all of them are of the text that it renders to.
    """

    file: str
    line: int
    column: int
    document: int = 0
    item: int | None = None
    start: int = 0
    stop: int | None = None
    first_line: int = 1


class Positions:
    """Where the parts of a text's documents stand. Worked out when first asked: most documents are sound."""

    __slots__ = ("_text", "written")

    def __init__(self, text: str | bytes | File, written: Written | None = None) -> None:
        self._text = text
        self.written = written  # how a template came to this text

    def of(self, origin: Origin) -> Places:
        """Return where every key and value of a document stands, by path."""
        return _places(self, origin.start, origin.stop, origin.first_line)

    def lines(self, origin: Origin) -> list[str]:
        """Return the lines of a document."""
        return _lines(self, origin.start, origin.stop)

    def read(self, origin: Origin) -> Object:
        """Return the object that lies at an origin, once more."""
        found, _ = reader.read(self.text()[origin.start : origin.stop], origin.file)
        value: Any = found[0].value if found else None
        if origin.item is not None and isinstance(value, dict):
            items = value.get("items")
            value = item_of(value, items[origin.item]) if isinstance(items, list) else None
        return value if isinstance(value, dict) else {}

    def text(self) -> str:
        """Return the text that was read."""
        text = self._text
        if isinstance(text, str):
            return text
        return (text if isinstance(text, bytes) else text.data).decode("utf-8-sig")


def item_of(listed: Object, item: Any) -> Any:
    """Return an item of a list as kubectl reads it: one of a ``ConfigMapList`` need not say what it is.

    >>> item_of({"apiVersion": "v1", "kind": "ConfigMapList"}, {"data": {}})["kind"]
    'ConfigMap'
    """
    kind, version = listed.get("kind"), listed.get("apiVersion")
    if kind == "List" or not isinstance(item, dict) or "kind" in item or "apiVersion" in item:
        return item
    return {"apiVersion": version, "kind": str(kind).removesuffix("List"), **item}


@functools.lru_cache(maxsize=32)
def _places(positions: Positions, start: int, stop: int | None, first_line: int) -> Places:
    return reader.places(positions.text()[start:stop], first_line)


@functools.lru_cache(maxsize=32)
def _lines(positions: Positions, start: int, stop: int | None) -> list[str]:
    return positions.text()[start:stop].split("\n")


class Document:
    """One object, and where it stands. A document is the same one as long as its text is.

    One that is known from an earlier look has no object at first: it is read when it is asked for.
    """

    __slots__ = ("_name", "_object", "origin", "positions")

    def __init__(
        self,
        obj: Object | None,
        origin: Origin,
        positions: Positions,
        name: ObjectName | None = None,
    ) -> None:
        self._object = obj
        self._name = name
        self.origin = origin
        self.positions = positions

    @property
    def object(self) -> Object:
        """The object, as its manifest has it. Shared: never change it."""
        if self._object is None:
            self._object = self.positions.read(self.origin)
        return self._object

    @property
    def name(self) -> ObjectName:
        """What the manifest calls its object."""
        if self._name is None:
            self._name = _name_of(self.object)
        return self._name

    def named(self, file: str) -> Document:
        """Return the same document under another name of its file."""
        return Document(self._object, self.origin._replace(file=file), self.positions, self._name)

    def holding(self, obj: Object) -> Document:
        """Return a document of another object that stands in the same place: this one decrypted, or substituted."""
        return Document(obj, self.origin, self.positions)

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Return where a path stands; for one that is not there, where its nearest parent does."""
        item = self.origin.item
        if not path:
            line, column = self.origin.line, self.origin.column
            return Span(line, column, line, column)
        full: Path = path if item is None else ("items", item, *path)
        known = self.positions.of(self.origin)
        asked = len(full)
        while len(full) > (0 if item is None else 2):
            place = known.get(full)
            found = place.culprit(key=key or len(full) < asked) if place is not None else None
            if found is not None:
                return found
            full = full[:-1]
        line, column = self.origin.line, self.origin.column
        return Span(line, column, line, column)

    def written(self, span: Span) -> str:
        """Return what stands at a place of the text, as far as its line goes."""
        lines = self.positions.lines(self.origin)
        number = span.line - self.origin.first_line
        line = lines[number] if 0 <= number < len(lines) else ""
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        return line[span.column - 1 : end]

    def position(self, path: Path) -> tuple[int, int]:
        """Return line and column of a path's key or item; of one that is not there, its nearest parent's."""
        found = self.span(path, key=True)
        return found.line, found.column

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
        """Return a finding about a part of this document: its value, or its key where the rule is about keys."""
        span = self.span(path, key=rule.endswith(_OF_KEYS))
        if rule == _UNKNOWN and path[-1] in ("true", "false") and not hint:
            key = self.written(span)
            if key.strip("\"'") != path[-1]:
                hint = f'{key} is a boolean to YAML: write "{key}" in quotes'
        secret = path[:1] in (("data",), ("stringData",)) and self.name.kind == "Secret"
        if hint.startswith(_QUOTE):
            hint = "write it in quotes" if secret else _quoted(hint, self.written(span))
        if got and secret:
            message, got = message.replace(got, "a hidden value"), "a hidden value"
        found = Finding(
            rule, severity, message, self.origin.file, span.line, span.column,
            self.origin.document, self.origin.item, self.name, pointer(path), hint, expected, got,
            span.end_line, span.end_column,
        )  # fmt: skip
        written = self.positions.written
        return written.placed(found) if written is not None else found


def _quoted(hint: str, written: str) -> str:
    """Return how to quote a value as it is written (``1.10``), where its place is its own and not a merge's or an alias's."""
    try:
        same = f'{_QUOTE}"{json.dumps(plain(written))}"' == hint if written else False
    except NotJson:
        same = False
    return f'{_QUOTE}"{written}"' if same else hint


def _name_of(obj: Object) -> ObjectName:
    meta: Any = obj.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    return ObjectName(
        str(obj.get("apiVersion") or ""),
        str(obj.get("kind") or ""),
        str(meta.get("namespace") or ""),
        str(meta.get("name") or ""),
    )


class Rendered(NamedTuple):
    """What a snapshot's files hold, and what is wrong with them as files."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    encrypted: frozenset[str] = frozenset()  # the files that hold values encrypted by sops
    substituting: frozenset[str] = frozenset()  # the files that hold ``${``
