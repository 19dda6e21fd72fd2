"""Durations as the file writes them: ``30s``, ``5m``, ``1h30m``, ``7d``."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def seconds_of(text: str) -> float:
    """Return a duration in seconds. Raises ``ValueError``.

    >>> seconds_of("1h30m"), seconds_of("7d")
    (5400.0, 604800.0)
    """
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"{text!r} is no duration: expected one as 30s, 5m, 1h30m, 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
