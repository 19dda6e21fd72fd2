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


class Places:
    """The places of one document's parts, by path: kept as the parser's marks, made readable when asked."""

    __slots__ = ("_keys", "_lines", "_values")

    def __init__(self, lines: int = 0) -> None:
        self._lines = lines  # of the file, before the text that was read
        self._keys: dict[Path, Any] = {}
        self._values: dict[Path, Any] = {}

    def key(self, path: Path, event: Any) -> None:
        """Note which event holds a key; the last of two equal ones counts."""
        self._keys[path] = event
        self._values.pop(path, None)

    def value(self, path: Path, event: Any) -> None:
        """Note which event begins a value."""
        self._values[path] = event

    def get(self, path: Path) -> Place | None:
        """Return where a path stands; None where it does not."""
        key, value = self._keys.get(path), self._values.get(path)
        if key is None and value is None:
            return None
        # Of a mapping or list, the event is its begin only.
        whole = value is not None and not hasattr(value, "flow_style")
        return Place(self._span(key), self._span(value), whole)

    def paths(self) -> list[Path]:
        """Return every path that stands somewhere."""
        return list(dict.fromkeys([*self._keys, *self._values]))

    def _span(self, event: Any) -> Span | None:
        if event is None:
            return None
        start, end, before = event.start_mark, event.end_mark, self._lines + 1
        return Span(start.line + before, start.column + 1, end.line + before, end.column + 1)
