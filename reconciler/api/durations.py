"""Durations in objects: ``30s``, ``1h30m``, ``500ms``, or a number of seconds. Pure."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_WHOLE = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")


def seconds(value: str | float) -> float:
    """Return a duration in seconds. Raises ``ValueError`` that says what was expected.

    >>> seconds("1h30m"), seconds("500ms"), seconds(2)
    (5400.0, 0.5, 2.0)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError(f"{value!r} is not a duration: expected one as 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
