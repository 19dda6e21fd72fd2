"""YAML as Kubernetes reads it (YAML 1.1 through sigs.k8s.io/yaml), with the position of every key. Pure.

Stricter than a cluster's tools: a key that stands twice is an error. Untrusted: it builds from libyaml's events (its
composer recurses in C without a limit), what aliases expand to is counted, depth is limited, and no tag makes
anything but JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from reconciler.api.objects import copy
from reconciler.gitops.finding import Finding
from reconciler.gitops.render import scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Values of one document with all aliases written out, and how deep values may lie.
MOST_VALUES = 200_000
DEEPEST = 100

Path = tuple[str | int, ...]
Marks = dict[Path, tuple[int, int]]

try:
    from yaml.cyaml import CParser as _Events  # type: ignore[attr-defined]
except ImportError:  # PyYAML without libyaml: slower, the same answers
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class _Events(Reader, Scanner, Parser):  # type: ignore[no-redef]
        def __init__(self, stream: str) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)


class Read(NamedTuple):
    """One document of a file: its value and where it begins. ``readable`` is false where findings say why."""

    value: Any
    line: int
    column: int
    readable: bool = True


class _Refused(Exception):
    def __init__(self, rule: str, message: str, mark: Any) -> None:
        super().__init__(message)
        self.rule = rule
        self.mark = mark


def read(text: str, file: str) -> tuple[list[Read], list[Finding]]:
    """Return a file's documents, as far as they can be read, and what is wrong. Never raises."""
    documents: list[Read] = []
    findings: list[Finding] = []
    for index, (one, found) in enumerate(_documents(text, file, None)):
        findings += [f._replace(document=index) for f in found]
        if one is not None:
            documents.append(one)
    return documents, findings


def marks(text: str) -> list[Marks]:
    """Return (line, column) of every key and item, for each document of a text by path; both count from 1."""
    found: list[Marks] = []
    for one, _ in _documents(text, "", found):
        if one is None:
            break
    return found


def _documents(
    text: str, file: str, found: list[Marks] | None
) -> Iterator[tuple[Read | None, list[Finding]]]:
    """Yield each document with what is wrong in it; None where the text cannot be read further."""
    findings: list[Finding] = []
    try:
        events: Any = _Events(text)
        while True:
            event = events.get_event()
            if isinstance(event, StreamEndEvent):
                return
            if not isinstance(event, DocumentStartEvent):
                continue
            findings = []
            here: Marks | None = None
            if found is not None:
                here = {}
                found.append(here)
            one = _document(events, file, findings, here)
            yield one, findings
            if one is None:
                return
            findings = []
    except yaml.MarkedYAMLError as error:
        said = " ".join(p for p in (error.context, error.problem) if p) or "it is not YAML"
        mark = error.problem_mark or error.context_mark
        findings.append(_finding("syntax/yaml", said, mark, file))
    except yaml.reader.ReaderError as error:
        findings.append(_unreadable(text, error, file))
    except yaml.YAMLError as error:
        findings.append(_finding("syntax/yaml", str(error).splitlines()[0], None, file))
    except UnicodeEncodeError as error:
        # libyaml reads UTF-8, which has no lone surrogates.
        line = text.count("\n", 0, error.start) + 1
        findings.append(Finding("syntax/encoding", "error", "half a character", file, line))
    yield None, findings


def _document(events: Any, file: str, findings: list[Finding], here: Marks | None) -> Read | None:
    first = events.peek_event()
    builder = _Builder(events, file, findings, here)
    line, column = first.start_mark.line + 1, first.start_mark.column + 1
    try:
        value = builder.value((), 0)
        events.get_event()  # the document's end
    except _Refused as refused:
        findings.append(_finding(refused.rule, str(refused), refused.mark, file))
        return Read(None, line, column, readable=False) if _passed_over(events) else None
    return Read(value, line, column)


def _passed_over(events: Any) -> bool:
    """Read to the document's end; false where it is too deep even for that (libyaml's time is depth times length)."""
    depth = 0
    while True:
        event = events.get_event()
        if isinstance(event, DocumentEndEvent):
            return True
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            return False


def _finding(rule: str, message: str, mark: Any, file: str) -> Finding:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Finding(rule, "error", message, file, line, column)


def _unreadable(text: str, error: yaml.reader.ReaderError, file: str) -> Finding:
    """Say where a control character stands: libyaml counts in bytes."""
    before = text.encode()[: error.position].decode(errors="replace")
    line = before.count("\n") + 1
    column = len(before.rpartition("\n")[2]) + 1
    said = f"{error.reason}: {error.character!r}"
    return Finding("syntax/yaml", "error", said, file, line, column)


class _Builder:
    """Builds one document out of events."""

    def __init__(self, events: Any, file: str, findings: list[Finding], here: Marks | None) -> None:
        self._events = events
        self._file = file
        self._findings = findings
        self._here = here
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._values = 0

    def value(self, path: Path, depth: int) -> Any:
        """Build what the next events say."""
        event = self._events.get_event()
        self._count(1, event)
        if self._here is not None and path not in self._here:
            self._here[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.anchor:
            self._anchors[event.anchor] = None
        before = self._values
        built: Any
        if isinstance(event, ScalarEvent):
            built = self._scalar(event)
        elif depth > DEEPEST:
            raise _Refused("syntax/depth", f"deeper than {DEEPEST} levels", event.start_mark)
        elif isinstance(event, MappingStartEvent):
            built = self._mapping(path, depth)
        else:
            built = self._sequence(path, depth)
        if event.anchor:
            self._anchors[event.anchor] = (built, self._values - before + 1)
        return built

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            said = f"more than {MOST_VALUES} values, with every alias written out"
            raise _Refused("syntax/alias-bomb", said, event.start_mark)

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _Refused("syntax/alias", f"there is no anchor &{event.anchor}", event.start_mark)
        kept = self._anchors[event.anchor]
        if kept is None:
            raise _Refused(
                "syntax/alias", f"the alias *{event.anchor} contains itself", event.start_mark
            )
        self._count(kept[1], event)
        return copy(kept[0])

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        built: list[Any] = []
        peek = self._events.peek_event
        while not isinstance(peek(), SequenceEndEvent):
            inside = (*path, len(built)) if self._here is not None else ()
            built.append(self.value(inside, depth + 1))
        self._events.get_event()
        return built

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while True:
            event = self._events.get_event()
            if isinstance(event, MappingEndEvent):
                return {**merged, **built} if merged else built
            if _is_merge(event):
                for part in self._merged(event, depth):
                    merged = {**part, **merged}
                continue
            key = self._key(event)
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if key in lines:
                said = f'key "{key}" is already set in this mapping (line {lines[key]})'
                self._tell("syntax/duplicate-key", said, event.start_mark)
            lines.setdefault(key, line)
            inside: Path = ()
            if self._here is not None:
                inside = (*path, key)
                self._here[inside] = (line, column)
            built[key] = self.value(inside, depth + 1)

    def _merged(self, event: Any, depth: int) -> list[dict[str, Any]]:
        """Return the mappings that a merge key brings in, the first one first."""
        here, self._here = self._here, None  # what is merged stands somewhere else
        value = self.value((), depth + 1)
        self._here = here
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(p, dict) for p in parts):
            said = "<< needs a mapping, or a list of mappings"
            raise _Refused("syntax/yaml", said, event.start_mark)
        return parts

    def _key(self, event: Any) -> str:
        if isinstance(event, AliasEvent):
            value = self._alias(event)
        elif isinstance(event, ScalarEvent):
            value = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
        else:
            raise _Refused("syntax/key", "a key must be text", event.start_mark)
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None or isinstance(value, list | dict):
            raise _Refused("syntax/key", "a key must be text, not null", event.start_mark)
        return str(value)

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        try:
            if tag is None:
                return scalar.plain(event.value) if event.implicit[0] else event.value
            return scalar.tagged(tag, event.value)
        except scalar.NotJson as error:
            self._tell("syntax/number", str(error), event.start_mark)
            return event.value

    def _tell(self, rule: str, message: str, mark: Any) -> None:
        self._findings.append(_finding(rule, message, mark, self._file))


def _is_merge(event: Any) -> bool:
    if not isinstance(event, ScalarEvent) or event.value != "<<":
        return False
    return event.tag == "tag:yaml.org,2002:merge" or (event.tag is None and event.implicit[0])
