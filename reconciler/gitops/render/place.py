"""Where parts of a text stand. Lines and columns count from 1. Pure."""

from __future__ import annotations

from typing import NamedTuple

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


Places = dict[Path, Place]
