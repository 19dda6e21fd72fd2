"""Field changes as a unified diff: a line a field, and a text of several lines compared line by line."""

from __future__ import annotations

import difflib
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.gitops.diff.fields import FieldChange

#: A line beyond this is cut, in characters.
LONGEST_VALUE = 200
#: Lines of a longer text that are compared; beyond it the texts are said to differ.
LONGEST_TEXT = 2000
_CONTEXT = 2


class Line(NamedTuple):
    """One line: ``mark`` is ``-``, ``+``, a space for what is the same, or ``@`` for a heading."""

    mark: str
    text: str


def unified(fields: Iterable[FieldChange]) -> Iterator[Line]:
    """Yield the lines of a diff, in the order of the fields."""
    for field in fields:
        if _is_text(field.before) or _is_text(field.after):
            yield from _of_texts(field)
            continue
        if field.before is not None:
            yield from _of_value("-", field.path, field.before)
        if field.after is not None:
            yield from _of_value("+", field.path, field.after)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _of_texts(field: FieldChange) -> Iterator[Line]:
    before = str(field.before).splitlines() if field.before is not None else []
    after = str(field.after).splitlines() if field.after is not None else []
    yield _line("@", field.path)
    if len(before) + len(after) > LONGEST_TEXT:
        yield Line("-", f"({len(before)} lines)")
        yield Line("+", f"({len(after)} lines)")
        return
    found = difflib.unified_diff(before, after, n=_CONTEXT, lineterm="")
    for line in islice(found, 2, None):  # the first two name files
        yield _line("@", line) if line[0] == "@" else _line(line[0], line[1:])


def _of_value(mark: str, path: str, value: Any) -> Iterator[Line]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _of_value(mark, f"{path}.{key}", inner)
    else:
        yield _line(mark, f"{path}: {_scalar(value)}")


def _line(mark: str, text: str) -> Line:
    """Return a line that stays one, is not endless, and moves no cursor."""
    shown = "".join(c if c.isprintable() else "·" for c in text)
    return Line(mark, shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 1] + "…")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # A number in quotes is another value than the number.
        return json.dumps(value, ensure_ascii=False) if _looks_like_other(value) else value
    return json.dumps(value, ensure_ascii=False)


def _looks_like_other(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), str)
    except ValueError:
        return text != text.strip() or not text.isprintable() or not text
