"""What an API server refuses: a broken schema, a broken rule, a change of what cannot change. Pure.

The rules are those that ``validate`` asks (``api.rules``): what it accepts is accepted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import rules, schemas
from reconciler.api.objects import GroupVersionKind
from reconciler.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object


def validate_shape(obj: Object) -> tuple[Cause, ...]:
    """Return where an object's parts are not what they must be: defaults and rules rely on that."""
    meta = obj["metadata"]
    causes = [
        Cause("FieldValueTypeInvalid", "Invalid value: expected a mapping", f"metadata.{field}")
        for field in ("labels", "annotations")
        if meta.get(field) is not None and not isinstance(meta[field], dict)
    ]
    if meta.get("name") is not None and not isinstance(meta["name"], str):
        causes.append(
            Cause("FieldValueTypeInvalid", "Invalid value: expected a string", "metadata.name")
        )
    return (*causes, *_schema(obj))


def validate_create(obj: Object) -> tuple[Cause, ...]:
    """Return every rule that a new object of the right shape breaks."""
    return (*rules.causes(rules.problems(obj)), *_custom_rules(obj))


def validate_update(before: Object, after: Object) -> tuple[Cause, ...]:
    """Return every rule that a change breaks."""
    found = (*rules.causes(rules.problems(after, creating=False)), *_custom_rules(after, before))
    return found or rules.causes(rules.changes(before, after))


def validate_additions(before: Object, after: Object) -> tuple[Cause, ...]:
    """Return every rule that an addition of ephemeral containers to a Pod breaks."""
    found = rules.causes(rules.problems(after, creating=False))
    return found or rules.causes(rules.additions(before, after))


def _schema(obj: Object) -> Iterator[Cause]:
    if schemas.is_valid(obj):
        return
    for error in schemas.errors(obj):
        yield Cause("FieldValueInvalid", error.message, _field(error.path))


def _custom_rules(obj: Object, before: Object | None = None) -> Iterator[Cause]:
    """Yield the rules in CEL of a custom kind's author that an object, or its change, breaks."""
    check = schemas.validator(GroupVersionKind.of(obj))
    for broken in check.rules(obj, before).violations if check is not None else ():
        yield Cause("FieldValueInvalid", broken.message, _field(broken.path))


def _field(path: tuple[str | int, ...]) -> str:
    found = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return found.lstrip(".") or "(root)"
