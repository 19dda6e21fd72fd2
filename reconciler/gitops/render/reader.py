"""YAML as Kubernetes reads it (YAML 1.1 through sigs.k8s.io/yaml), with the place of every key and value. Pure.

Stricter than a cluster's tools: a key that stands twice is an error. Untrusted: it builds from libyaml's events (its
composer recurses in C without a limit), what aliases expand to is counted, depth is limited, and no tag makes
anything but JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.gitops.finding import Finding
from reconciler.gitops.render.builder import DEEPEST, Builder, Refused, Text, is_merge
from reconciler.gitops.render.json_text import read_json
from reconciler.gitops.render.place import Node, Path, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Path", "Read", "places", "read", "read_yaml"]

#: After so many texts that are not YAML, the rest of a file is not looked at.
MOST_BROKEN = 20

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
    """One document of a file: its value and where it begins. ``readable`` is false where findings say why.

    ``start`` and ``stop`` are the characters of the file that it lies in, ``first_line`` the line of ``start``; ``items``
    are the lines and columns of its ``items``, as a ``List`` has them.
    """

    value: Any
    line: int
    column: int
    readable: bool = True
    start: int = 0
    stop: int = 0
    first_line: int = 1
    items: tuple[tuple[int, int], ...] = ()


def read(text: str, file: str) -> tuple[list[Read], list[Finding]]:
    """Return a file's documents, as far as they can be read, and what is wrong. Never raises."""
    known = read_json(text)
    if known is not None:
        return [Read(known, 1, 1, stop=len(text))], []
    return read_yaml(text, file)


def read_yaml(text: str, file: str) -> tuple[list[Read], list[Finding]]:
    """Do the same without a look whether the text is plain JSON."""
    documents: list[Read] = []
    findings: list[Finding] = []
    # What begins with a brace is read by Kubernetes as JSON, which knows the escape \/.
    slashes = "\\/" in text and text.lstrip()[:1] != "{"
    rest: Text | None = Text(text, file, slashes=slashes)
    for _ in range(MOST_BROKEN):
        if rest is None:
            break
        stopped = False
        for one, found in _documents(rest):
            index = len(documents)
            if found:
                # A file may hold as many mistakes as words: those of its first document are taken as they are.
                findings += [f._replace(document=index) for f in found] if index else found
            documents.append(one)
            stopped = one.stop < 0
        rest = _behind(rest, findings[-1].line) if stopped else None
    return documents, findings


def places(text: str, first_line: int = 1) -> Places:
    """Return where the keys and values of a text's first document stand, by path. Never raises."""
    given = Text(text, "")
    root: Node | None = None
    try:
        events: Any = _Events(text)
        while not isinstance(events.get_event(), DocumentStartEvent):
            if events.peek_event() is None:
                return Places()
        builder = Builder(events, given, [])
        root = Node(None, events.get_event())
        _place(root, events.get_event, builder, 0)
    except (Refused, yaml.YAMLError, UnicodeEncodeError):
        pass  # what was found before has its place
    return Places(root, first_line - 1)


def _place(node: Node, following: Callable[[], Any], builder: Builder, depth: int) -> None:
    """Find the places of what a node holds. What a merge key brings in stands somewhere else, and is passed over."""
    kind = node.value.__class__
    if kind is not MappingStartEvent and kind is not SequenceStartEvent:
        return
    if depth > DEEPEST:
        raise Refused("syntax/depth", "", node.value.start_mark)
    node.inside = {}
    number = 0
    while not isinstance(event := following(), CollectionEndEvent):
        part: str | int = number
        if kind is MappingStartEvent:
            part = builder.key(event)
            child = Node(event, following())
        else:
            child = Node(None, event)
        # A value of one word holds nothing: it is spared the call.
        if child.value.__class__ is not ScalarEvent:
            _place(child, following, builder, depth + 1)
        if part != "<<" or not is_merge(event):
            node.inside[part] = child
        number += 1


def _behind(broken: Text, line: int) -> Text | None:
    """Return what lies behind the next line that begins a document, after one that is not YAML."""
    at = 0
    for _ in range(line - broken.line - 1):
        at = broken.text.find("\n", at) + 1
    found = _MARKER.search(broken.text, at)
    if found is None or found.start() == 0:
        found = _MARKER.search(broken.text, max(at, 1))
    if found is None:
        return None
    at = found.start()
    lines = broken.text.count("\n", 0, at)
    return broken._replace(text=broken.text[at:], start=broken.start + at, line=broken.line + lines)


_MARKER = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


def _documents(given: Text) -> Iterator[tuple[Read, list[Finding]]]:
    """Yield each document with what is wrong in it; one with ``stop`` below 0 where the text cannot be read further."""
    findings: list[Finding] = []
    try:
        events: Any = _Events(given.text)
        following = events.get_event
        while True:
            event = following()
            if event.__class__ is not DocumentStartEvent:
                if event.__class__ is StreamEndEvent:
                    return
                continue
            findings = []
            one = _document(events, event, given, findings)
            yield one, findings
            if one.stop < 0:
                return
            findings = []
    except Refused as refused:
        findings.append(given.finding(refused.rule, str(refused), refused.mark, refused.hint))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        findings.append(given.finding("syntax/yaml", *_said(error, mark, given.text)))
    except yaml.reader.ReaderError as error:
        findings.append(_unreadable(given, error))
    except yaml.YAMLError as error:
        findings.append(given.finding("syntax/yaml", str(error).splitlines()[0], None))
    except UnicodeEncodeError as error:
        # libyaml reads UTF-8, which has no lone surrogates.
        line = given.text.count("\n", 0, error.start) + given.line + 1
        findings.append(Finding("syntax/encoding", "error", "half a character", given.file, line))
    first = findings[-1]
    yield Read(None, first.line, first.column, readable=False, stop=-1), findings


def _document(events: Any, begun: Any, given: Text, findings: list[Finding]) -> Read:
    first = events.peek_event()
    at = begun.start_mark
    start, first_line = given.start + at.index - at.column, at.line + given.line + 1
    began = first.start_mark
    line, column = began.line + given.line + 1, began.column + 1
    builder = Builder(events, given, findings)
    value, readable = None, False
    try:
        _check_version(begun)
        value, readable = builder.value(events.get_event(), 0), True
        ended = events.get_event()
    except Refused as refused:
        findings.append(given.finding(refused.rule, str(refused), refused.mark, refused.hint))
        found = _passed_over(events)
        if found is None:
            return Read(None, line, column, readable=False, stop=-1)
        ended = found
    stop = given.start + ended.end_mark.index
    return Read(value, line, column, readable, start, stop, first_line, tuple(builder.items))


def _check_version(begun: Any) -> None:
    if begun.version not in (None, (1, 1)):
        said = f"%YAML {'.'.join(map(str, begun.version))}: Kubernetes reads YAML 1.1"
        raise Refused("syntax/yaml", said, begun.start_mark, "remove the directive")


def _passed_over(events: Any) -> Any:
    """Read to the document's end; None where it is too deep even for that (libyaml's time is depth times length)."""
    depth = 0
    while True:
        event = events.get_event()
        if isinstance(event, DocumentEndEvent):
            return event
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            return None


def _said(error: yaml.MarkedYAMLError, mark: Any, text: str) -> tuple[str, Any, str]:
    """Return the words for what libyaml found, where, and what to do about it."""
    problem = error.problem or "it is not YAML"
    said = f"{problem} {error.context}" if error.context else problem
    opened = error.context_mark
    if opened is not None and mark is not None and opened.line != mark.line:
        said += f" that begins in line {opened.line + 1}"
    at = _index(text, mark) if mark is not None else 0
    hint = ""
    if text[at : at + 1] == "\t" or "tab" in problem:
        said = "found a tab where only spaces may stand"
        hint = "indent with spaces"
    elif "cannot start any token" in problem:
        hint = f"quote the value: it cannot begin with {text[at : at + 1]}"
    elif "mapping values are not allowed" in problem:
        hint = 'quote a value that holds ": ", or check the indentation'
    elif "could not find expected ':'" in problem or "did not find expected key" in problem:
        hint = "check the indentation, and that every key is followed by a colon"
    elif "unexpected end of stream" in problem or "expected ',' or" in problem:
        hint = "close the bracket or quote"
    elif "expected <document start>" in problem:
        hint = "put a line of --- between two documents"
    elif "unknown escape" in problem:
        hint = "use single quotes, or write the backslash twice"
    return said, mark, hint


def _index(text: str, mark: Any) -> int:
    at = 0
    for _ in range(mark.line):
        at = text.find("\n", at) + 1
    return at + int(mark.column)


def _unreadable(given: Text, error: yaml.reader.ReaderError) -> Finding:
    """Say where a control character stands: libyaml counts in bytes."""
    before = given.text.encode()[: error.position].decode(errors="replace")
    line = before.count("\n") + given.line + 1
    column = len(before.rpartition("\n")[2]) + 1
    said = f"{error.reason}: {error.character!r}"
    return Finding("syntax/yaml", "error", said, given.file, line, column)
