"""What breaks a schema, in words that say what to write instead."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PathElement = str | int

_FORMAT_WORDS = {
    "byte": "base64", "date-time": "a time as 2026-01-31T12:00:00Z", "date": "a date as 2026-01-31",
    "ipv4": "an IPv4 address", "ipv6": "an IPv6 address", "cidr": "a network as 10.0.0.0/8", "uuid": "a UUID",
}  # fmt: skip


class SchemaError(NamedTuple):
    """One thing in an object that its schema does not allow.

    ``path`` leads to the culprit: for an unknown field to that field, for a missing one to the object that lacks it.
    """

    path: tuple[PathElement, ...]
    keyword: str  # the schema's word: additionalProperties, type, enum, required …
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""


def explain(error: Any) -> Iterator[SchemaError]:
    """Yield what one error of ``jsonschema`` says of an object."""
    path: tuple[PathElement, ...] = tuple(error.absolute_path)
    keyword: str = error.validator
    value = error.instance
    match keyword:
        case "additionalProperties":
            known = list(error.schema.get("properties") or {})
            for name in value:
                if name not in known:
                    yield _unknown_field((*path, name), str(name), known)
        case "required":
            for name in error.validator_value:
                if name not in value:
                    yield SchemaError(
                        path, keyword, f'missing field "{name}"', expected=f"a {name}"
                    )
        case _:
            yield _explain_value(error, path, keyword)


def _explain_value(error: Any, path: tuple[PathElement, ...], keyword: str) -> SchemaError:
    value, rule = error.instance, error.validator_value
    match keyword:
        case "type":
            wanted = _one_of(rule)
            return SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value), _type_hint(value, rule))  # fmt: skip
        case "enum":
            words = [str(w) for w in rule if w not in ("", None)]
            wanted = "one of " + ", ".join(words)
            near = difflib.get_close_matches(str(value), words, 1, 0.6)
            hint = f'did you mean "{near[0]}"?' if near else ""
            return SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value), hint)  # fmt: skip
        case "const":
            wanted = json.dumps(rule)
            return SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value))  # fmt: skip
        case "format":
            wanted = _FORMAT_WORDS.get(rule, str(rule))
            # What breaks a format may be a secret that was written plainly: it is not shown.
            told = f"expected {wanted}, got a string that is not"
            hint = "write plain text under stringData" if rule == "byte" else ""
            return SchemaError(path, keyword, told, wanted, "a string that is not", hint)
        case "not":
            return SchemaError(path, keyword, "must not be empty", "a value", describe(value))
        case "pattern" if error.schema.get("x-kubernetes-quantity"):
            wanted = "a quantity, as 100m, 1.5, 64Mi"
            return SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value))  # fmt: skip
        case _:
            return SchemaError(path, keyword, f"{describe(value)} is not allowed here: {keyword} "
                              f"{json.dumps(rule)}", got=describe(value))  # fmt: skip


def _unknown_field(path: tuple[PathElement, ...], name: str, known: Iterable[str]) -> SchemaError:
    lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(lower), 1, 0.6)
    hint = f'did you mean "{lower[near[0]]}"?' if near else ""
    message = f'unknown field "{name}"' + (f", {hint}" if hint else "")
    return SchemaError(path, "additionalProperties", message, got=name, hint=hint)


def _one_of(types: str | list[str]) -> str:
    names = [types] if isinstance(types, str) else [t for t in types if t != "null"]
    return " or ".join(_article(n) for n in names)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


def _type_hint(value: Any, types: str | list[str]) -> str:
    if "string" in types and isinstance(value, bool | int | float):
        return f'quote it: "{json.dumps(value)}"'
    if "array" in types and not isinstance(value, list | dict):
        return "write a list: [...] or lines that begin with -"
    return ""


def describe(value: Any) -> str:
    """Return a short name of a value for a message: its type, and itself where that is short and no secret.

    >>> describe("three"), describe([1]), describe(None)
    ('string "three"', 'an array', 'null')
    """
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean {json.dumps(value)}"
        case int() | float():
            return f"number {value}"
        case str():
            return f"string {json.dumps(value if len(value) <= 40 else value[:37] + '...')}"
        case list():
            return "an array"
        case _:
            return "an object"
