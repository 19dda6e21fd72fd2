"""Durations as users type them: ``90s``, ``5m``, ``1h30m``."""

from __future__ import annotations

import re

import click

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


def parse_duration(text: str) -> float:
    """Return seconds; a bare number is seconds. Raises ``click.UsageError``.

    >>> parse_duration("1h30m"), parse_duration("45")
    (5400.0, 45.0)
    """
    match = _DURATION.match(text.strip())
    if not match or not any(match.groups()):
        raise click.UsageError(f"{text!r} is not a duration such as 90s, 5m or 1h30m")
    hours, minutes, seconds = (float(g or 0) for g in match.groups())
    return hours * 3600 + minutes * 60 + seconds
