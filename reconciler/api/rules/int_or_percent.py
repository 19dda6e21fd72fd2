"""Rules of fields that hold a number or a percentage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.api.rules.problem import Path, Problem, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERCENT = re.compile(r"[0-9]+%\Z")
_WORDS = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
    "regex used for validation is '[0-9]+%')"
)


def int_or_percent(value: Any, path: Path, *, rule: str, whole: bool = False) -> Iterator[Problem]:
    """Yield what is wrong with a number or a percentage; with ``whole`` it may not be more than 100%."""
    if isinstance(value, str):
        if not _PERCENT.match(value):
            hint = f"write it without quotes: {value}" if value.isdigit() else ""
            yield invalid(rule, path, value, _WORDS, hint=hint)
        elif whole and int(value[:-1]) > 100:
            yield invalid(rule, path, value, "must not be greater than 100%")
    elif isinstance(value, int) and value < 0:
        yield invalid(rule, path, value, "must be greater than or equal to 0")


def is_zero(value: Any) -> bool:
    """Whether a number or percentage is zero; what is not set is not."""
    if isinstance(value, str):
        return bool(_PERCENT.match(value)) and int(value[:-1]) == 0
    return value == 0 and value is not None and value is not False
