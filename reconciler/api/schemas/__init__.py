"""The JSON Schemas of kinds: where they lie, and what in an object breaks them.

They are packaged as ``reconciler/schemas`` in the wheel and lie in ``schemas/`` of a checkout. Each is read and compiled
when its kind is first met.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from reconciler.api.objects import GroupVersionKind, Object
from reconciler.api.schemas.explain import SchemaError, describe
from reconciler.api.schemas.validator import Validator

__all__ = [
    "SchemaError",
    "Validator",
    "describe",
    "directory",
    "errors",
    "file_name",
    "is_valid",
    "load",
    "validator",
    "violations",
]


def directory() -> Path:
    """Return where the schemas lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
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
    # A manifest's words: a name that no file here has, and that may be none at all.
    if not (name.isascii() and name.isprintable() and len(name) < 200) or "/" in name:
        return None
    try:
        text = (directory() / name).read_bytes()
    except FileNotFoundError:
        return None
    schema: dict[str, Any] = json.loads(text)
    expected = schema["properties"]["apiVersion"]["const"], schema["properties"]["kind"]["const"]
    return schema if expected == (gvk.api_version, gvk.kind) else None


@functools.cache
def validator(gvk: GroupVersionKind) -> Validator | None:
    """Return what checks objects of a kind; None for a kind without a schema."""
    schema = load(gvk)
    return None if schema is None else Validator(schema)


def is_valid(obj: Object) -> bool:
    """Whether an object keeps to its kind's schema; a kind without one always does."""
    check = validator(GroupVersionKind.of(obj))
    return check is None or check.is_valid(obj)


def errors(obj: Object) -> list[SchemaError]:
    """Return everything in an object that its kind's schema does not allow, in order of the path."""
    check = validator(GroupVersionKind.of(obj))
    return [] if check is None else check.errors(obj)


def violations(schema: dict[str, Any], value: Any) -> list[SchemaError]:
    """Return everything in a value that a schema does not allow: for what is no Kubernetes object."""
    return Validator(schema).errors(value)
