"""Whether a CronJob's schedule can be read: five fields, or one of the @-words."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WORDS = frozenset(
    {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
)
_DURATION = re.compile(r"([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+\Z")


class _Field(NamedTuple):
    least: int
    most: int
    words: tuple[str, ...] = ()
    first: int = 0  # the number of the first word


_FIELDS = (
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31),
    _Field(1, 12, _MONTHS, 1),
    _Field(0, 6, _DAYS, 0),
)


@functools.lru_cache(maxsize=256)
def schedule_problem(text: str) -> str:
    """Say what is wrong with a schedule; empty where nothing is.

    >>> schedule_problem("*/5 * * * mon-fri"), schedule_problem("* * * *")
    ('', 'expected exactly 5 fields, found 4: [* * * *]')
    """
    if text.startswith("@"):
        if text in _WORDS:
            return ""
        if text.startswith("@every "):
            given = text.removeprefix("@every ")
            return "" if _DURATION.match(given) else f"failed to parse duration {text}"
        return f"unrecognized descriptor: {text}"
    parts = text.split()
    if len(parts) != 5:
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for part, field in zip(parts, _FIELDS, strict=True):
        for one in part.split(","):
            if wrong := _range_problem(one, field):
                return wrong
    return ""


def _range_problem(text: str, field: _Field) -> str:
    span, slash, step = text.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        return f"step of range should be a positive number: {text}"
    if span in ("*", "?"):
        return ""
    begin, dash, end = span.partition("-")
    first = _number(begin, field)
    last = _number(end, field) if dash else first
    if first is None or last is None:
        return f"failed to parse int from {span or text!r}"
    if first < field.least:
        return f"beginning of range ({first}) below minimum ({field.least}): {text}"
    if last > field.most:
        return f"end of range ({last}) above maximum ({field.most}): {text}"
    if first > last:
        return f"beginning of range ({first}) beyond end of range ({last}): {text}"
    return ""


def _number(text: str, field: _Field) -> int | None:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + field.first
    return int(text) if text.isdigit() and text.isascii() else None
