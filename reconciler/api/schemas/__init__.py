"""The JSON Schemas of kinds: where they lie, where they come from, and what in an object breaks them.

They are packaged as ``reconciler/schemas`` in the wheel and lie in ``schemas/`` of a checkout. Each is read and compiled
when its kind is first met. A daemon knows those of its state directory too: ``use`` says so for all that runs in its context.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.api.objects import GroupVersionKind, Object
from reconciler.api.schemas.explain import SchemaError, describe
from reconciler.api.schemas.library import Library
from reconciler.api.schemas.standalone import file_name
from reconciler.api.schemas.validator import Validator

if TYPE_CHECKING:
    from contextvars import Token

__all__ = [
    "Library",
    "SchemaError",
    "Validator",
    "current",
    "describe",
    "directory",
    "errors",
    "file_name",
    "is_valid",
    "load",
    "packaged",
    "use",
    "validator",
    "violations",
]

_IN_FORCE: ContextVar[Library] = ContextVar("schemas")


def directory() -> Path:
    """Return where the schemas lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


@functools.cache
def packaged() -> Library:
    """Return the schemas that come with this program."""
    return Library(directory())


def current() -> Library:
    """Return the schemas that objects are held to in this context: the packaged ones where nothing else was said."""
    return _IN_FORCE.get(None) or packaged()


def use(library: Library) -> Token[Library]:
    """Hold objects to other schemas from here on, in this context and in tasks that it starts."""
    return _IN_FORCE.set(library)


def load(gvk: GroupVersionKind) -> dict[str, Any] | None:
    """Return a kind's schema, or None where there is none. Shared: never change it."""
    return current().load(gvk)


def validator(gvk: GroupVersionKind) -> Validator | None:
    """Return what checks objects of a kind; None for a kind without a schema."""
    return current().validator(gvk)


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
