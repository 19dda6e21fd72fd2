"""How a template came to its text: which part of the text each line of which template wrote. Pure."""

from __future__ import annotations

import bisect
import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.gitops.render.place import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.gitops.finding import Finding

_EXPRESSION = re.compile(r"\{\{.*?\}\}")


class Piece(NamedTuple):
    """Some text, and the template and line that wrote it (from 1): the line where a literal text begins."""

    text: str
    template: str
    line: int


class Written:
    """A rendered text in pieces. Answers for one place cost the text's length once, then a search."""

    __slots__ = ("_lines", "_path", "_pieces", "_source", "_starts", "_text")

    def __init__(self, path: str, pieces: Sequence[Piece], source: Callable[[str], str]) -> None:
        self._path = path
        self._pieces = pieces
        self._source = source
        self._text = "".join(p.text for p in pieces)
        self._starts: list[int] | None = None
        self._lines: list[int] = []

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text

    def placed(self, finding: Finding) -> Finding:
        """Return a finding about the text as one about the template, which the text's place is told beside."""
        line, column = finding.line, finding.column
        index, at = self._piece(line, column)
        piece = self._pieces[index] if self._pieces else Piece("", self._path, 1)
        span = self._in_template(index, at) if self._pieces else Span(1, 1, 0, 0)
        if span.end_line == 0 and finding.end_line == line:
            width = finding.end_column - column
            span = span._replace(end_line=span.line, end_column=span.column + width)
        return finding._replace(
            file=finding.file.removesuffix(self._path) + piece.template
            if finding.file.endswith(self._path)
            else finding.file,
            line=span.line,
            column=span.column,
            end_line=span.end_line,
            end_column=span.end_column,
            rendered_line=line,
            rendered_column=column,
        )

    def _piece(self, line: int, column: int) -> tuple[int, int]:
        """Return which piece wrote a place of the text, and how far behind its begin the place is."""
        if self._starts is None:
            lengths = (len(p.text) for p in self._pieces)
            self._starts = list(itertools.accumulate(lengths, initial=0))[:-1]
            self._lines = [0, *(m.end() for m in re.finditer("\n", self._text))]
        start = self._lines[min(line, len(self._lines)) - 1] + column - 1
        index = max(bisect.bisect_right(self._starts, start) - 1, 0)
        return index, start - self._starts[index] if self._starts else 0

    def _in_template(self, index: int, at: int) -> Span:
        """Return the place in the template; its end is 0 where the culprit is as wide as in the text."""
        piece = self._pieces[index]
        lines = self._source(piece.template).splitlines()
        before = piece.text[:at]
        line = piece.line + before.count("\n")
        begin = before.rfind("\n") + 1
        literal = piece.text[begin:].partition("\n")[0]
        if line <= len(lines) and literal.strip():
            # Literal text stands between tags, or the line's ends; whitespace beside tags may be stripped.
            between = rf"(?:^\s*?|\}}\s*?)({re.escape(literal)})\s*(?:$|\{{)"
            if stands := re.search(between, lines[line - 1]):
                return Span(line, stands.start(1) + at - begin + 1, 0, 0)
        if piece.line > len(lines):
            return Span(piece.line, 1, 0, 0)
        # What an expression wrote: behind the literal text before it.
        wrote = lines[piece.line - 1]
        ahead = self._pieces[index - 1].text.rpartition("\n")[2] if index else ""
        found = _EXPRESSION.search(wrote, max(wrote.find(ahead), 0) + len(ahead))
        found = found or _EXPRESSION.search(wrote)
        if found is None:
            return Span(piece.line, 1, 0, 0)
        return Span(piece.line, found.start() + 1, piece.line, found.end() + 1)


_TAG = re.compile(r"\{[{%].*?[}%]\}|\{[{%].*")
_QUOTED = re.compile(r"'([^']+)'")


def blamed(source: str, line: int, message: str) -> tuple[int, int]:
    """Return the columns of what a template's message names in a line: the word, else the first tag (0: not known)."""
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    tags = list(_TAG.finditer(text))
    for word in _QUOTED.findall(message):
        for tag in tags:
            if found := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", tag[0]):
                return tag.start() + found.start() + 1, tag.start() + found.end() + 1
    return (tags[0].start() + 1, tags[0].end() + 1) if tags else (1, 0)
