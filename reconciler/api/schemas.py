"""The JSON Schemas of kinds: where they lie, and what in an object breaks them.

They are packaged as ``reconciler/schemas`` in the wheel and lie in ``schemas/`` of a checkout. Each is read and compiled
when its kind is first met. ``jsonschema_rs`` decides (microseconds an object); ``jsonschema`` explains, only when
something is wrong, and decides too where the other is not installed.
"""

from __future__ import annotations

import difflib
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import GroupVersionKind, Object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PathElement = str | int


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


def directory() -> Path:
    """Return where the schemas lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


def file_name(gvk: GroupVersionKind) -> str:
    """Return a kind's file: ``deployment-apps-v1.json``, ``pod-v1.json``."""
    group = gvk.group.partition(".")[0]
    parts = [gvk.kind.lower(), group, gvk.version] if group else [gvk.kind.lower(), gvk.version]
    return "-".join(parts) + ".json"


@functools.cache
def load(gvk: GroupVersionKind) -> dict[str, Any] | None:
    """Return a kind's schema, or None where there is none. Shared: never change it."""
    name = file_name(gvk)
    if "/" in name or name.startswith("."):
        return None
    try:
        text = (directory() / name).read_bytes()
    except FileNotFoundError:
        return None
    schema: dict[str, Any] = json.loads(text)
    expected = schema["properties"]["apiVersion"]["const"], schema["properties"]["kind"]["const"]
    return schema if expected == (gvk.api_version, gvk.kind) else None


@functools.cache
def _decider(gvk: GroupVersionKind) -> Callable[[Any], bool] | None:
    schema = load(gvk)
    if schema is None:
        return None
    try:
        import jsonschema_rs
    except ImportError:
        return _explainer(gvk).is_valid  # type: ignore[no-any-return]
    check: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(schema).is_valid
    return check


@functools.cache
def _explainer(gvk: GroupVersionKind) -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(load(gvk) or {})


def is_valid(obj: Object) -> bool:
    """Whether an object keeps to its kind's schema; a kind without one always does."""
    check = _decider(GroupVersionKind.of(obj))
    return check is None or check(obj)


def errors(obj: Object) -> list[SchemaError]:
    """Return everything in an object that its kind's schema does not allow, in order of the path."""
    gvk = GroupVersionKind.of(obj)
    check = _decider(gvk)
    if check is None or check(obj):
        return []
    found = [e for error in _explainer(gvk).iter_errors(obj) for e in _explain(error)]
    return sorted(set(found), key=lambda e: [str(p) for p in e.path])


def violations(schema: dict[str, Any], value: Any) -> list[SchemaError]:
    """Return everything in a value that a schema does not allow: for what is no Kubernetes object."""
    try:
        import jsonschema_rs
    except ImportError:
        pass
    else:
        if jsonschema_rs.Draft202012Validator(schema).is_valid(value):
            return []
    import jsonschema

    found = [
        e
        for error in jsonschema.Draft202012Validator(schema).iter_errors(value)
        for e in _explain(error)
    ]
    return sorted(set(found), key=lambda e: [str(p) for p in e.path])


def _explain(error: Any) -> Iterator[SchemaError]:
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
        case "type":
            wanted = _one_of(error.validator_value)
            yield SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value), _type_hint(value, error.validator_value))  # fmt: skip
        case "enum":
            words = [str(w) for w in error.validator_value if w not in ("", None)]
            wanted = "one of " + ", ".join(words)
            near = difflib.get_close_matches(str(value), words, 1, 0.6)
            hint = f'did you mean "{near[0]}"?' if near else ""
            yield SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value), hint)  # fmt: skip
        case "const":
            wanted = json.dumps(error.validator_value)
            yield SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value))  # fmt: skip
        case "not":
            yield SchemaError(path, keyword, "must not be empty", "a value", describe(value))
        case "pattern" if error.schema.get("x-kubernetes-quantity"):
            wanted = "a quantity, as 100m, 1.5, 64Mi"
            yield SchemaError(path, keyword, f"expected {wanted}, got {describe(value)}", wanted,
                              describe(value))  # fmt: skip
        case _:
            yield SchemaError(path, keyword, f"{describe(value)} is not allowed here: {keyword} "
                              f"{json.dumps(error.validator_value)}", got=describe(value))  # fmt: skip


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
