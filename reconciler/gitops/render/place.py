"""Where parts of a text stand. Lines and columns count from 1. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

Path = tuple[str | int, ...]


class Span(NamedTuple):
    """From one place to just behind another."""

    line: int
    column: int
    end_line: int
    end_column: int


class Place(NamedTuple):
    """Where a key and its value stand; items of a list have no key. ``whole``: the value's span is all of it."""

    key: Span | None
    value: Span | None
    whole: bool = False

    def culprit(self, *, key: bool) -> Span | None:
        """Return what to point at: the key, or the value where that is one word and not a whole block."""
        if key or not self.whole:
            return self.key or self.value
        return self.value or self.key


class Node:
    """One value: the events that hold its key and begin it, and what it holds by key or number."""

    __slots__ = ("inside", "key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value
        self.inside: dict[str | int, Node] | None = None


class Places:
    """The places of one document's parts: kept as the parser's events, made readable when asked."""

    __slots__ = ("_lines", "_root")

    def __init__(self, root: Node | None = None, lines: int = 0) -> None:
        self._root = root
        self._lines = lines  # of the file, before the text that was read

    def get(self, path: Path) -> Place | None:
        """Return where a path stands; None where it does not."""
        node = self._root
        for part in path:
            node = node.inside.get(part) if node is not None and node.inside else None
        if node is None:
            return None
        return Place(self._span(node.key), self._span(node.value), whole=node.inside is None)

    def paths(self) -> list[Path]:
        """Return every path that stands somewhere."""
        found: list[Path] = []
        left: list[tuple[Path, Node]] = [((), self._root)] if self._root is not None else []
        while left:
            path, node = left.pop()
            found.append(path)
            left += [((*path, part), child) for part, child in (node.inside or {}).items()]
        return found

    def _span(self, event: Any) -> Span | None:
        if event is None:
            return None
        start, end, before = event.start_mark, event.end_mark, self._lines + 1
        return Span(start.line + before, start.column + 1, end.line + before, end.column + 1)
