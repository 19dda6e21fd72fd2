"""Values as rules see them: by the types of their schema, with fields under names that CEL can say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from reconciler.api.durations import seconds

_WORDS = frozenset({
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
    "let", "loop", "package", "namespace", "return", "var", "void", "while",
})  # fmt: skip
_SIGNS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SIGN = re.compile(r"__|[./-]")


def converted(value: Any, schema: dict[str, Any]) -> Any:
    """Return a value for a rule: a field's name escaped, a whole number of type ``number`` a double, times in one form."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        out = {}
        for name, one in value.items():
            found = properties.get(name, extra)
            below = found if isinstance(found, dict) else {}
            out[escaped(name) if name in properties else name] = converted(one, below)
        return out
    if isinstance(value, list):
        items = schema.get("items")
        return [converted(one, items if isinstance(items, dict) else {}) for one in value]
    if isinstance(value, str):
        return _text(value, schema)
    if isinstance(value, int) and not isinstance(value, bool) and "number" in _types(schema):
        return float(value)
    return value


def _types(schema: dict[str, Any]) -> list[Any]:
    given = schema.get("type")
    return given if isinstance(given, list) else [given]


def _text(value: str, schema: dict[str, Any]) -> Any:
    match schema.get("format") or schema.get("x-format"):
        case "date-time" | "date":
            try:
                found = datetime.fromisoformat(value)
                aware = found if found.tzinfo else found.replace(tzinfo=UTC)
                # The library takes no time from outside: all in one form compare as the times do.
                return aware.astimezone(UTC).isoformat(timespec="microseconds")
            except (ValueError, OverflowError):
                return value
        case "byte":
            import base64

            return base64.b64decode(value)
        case "duration":
            try:
                # Equal ones are equal; a rule that wants more of it is not evaluated, which is better than wrong.
                return {"duration": seconds(value)}
            except ValueError:
                return value
    return value


def escaped(name: str) -> str:
    """Return a field's name as rules write it.

    >>> escaped("namespace"), escaped("x-prop"), escaped("redact__d")
    ('__namespace__', 'x__dash__prop', 'redact__underscores__d')
    """
    if name in _WORDS:
        return f"__{name}__"
    return _SIGN.sub(lambda m: _SIGNS[m.group()], name)
