"""Rules in CEL that schemas of custom kinds carry (``x-kubernetes-validations``), as far as the library at hand evaluates them.

``check`` is the face. A rule that cannot be evaluated here is told of and never counts as broken. Without the extra ``cel`` none
can. Time is bounded: by the library's own limits, and by what ``budget`` foretells of values and rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.schemas.cel.budget import Budget
from reconciler.api.schemas.cel.engine import MISSING, Broken, Engine, Unknown, engine
from reconciler.api.schemas.cel.places import Place, field_path, places, uses_old
from reconciler.api.schemas.cel.values import converted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object
    from reconciler.api.schemas.cel.places import Path

__all__ = ["Outcome", "Violation", "check", "has_rules"]

RULES = "x-kubernetes-validations"


class Violation(NamedTuple):
    """One rule that a value breaks. ``rule`` is its text in CEL."""

    path: Path
    rule: str
    message: str


class Outcome(NamedTuple):
    """What rules say of an object: those that are broken, and why others were not asked, each reason once."""

    violations: tuple[Violation, ...] = ()
    skipped: tuple[str, ...] = ()


def has_rules(schema: dict[str, Any]) -> bool:
    """Whether a schema carries a rule anywhere; what it only refers to is not looked at."""
    waiting: list[Any] = [{k: v for k, v in schema.items() if k != "$defs"}]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get(RULES), list):
                return True
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False


def check(schema: dict[str, Any], obj: Object, old: Object | None = None) -> Outcome:
    """Return what an object's schema's rules say of it; the object keeps to the rest of the schema.

    ``old`` is what the object replaces: rules about a change (``oldSelf``) are asked only then. Neither is changed.
    Cost: the object's size for every rule at its root, and so on below, but no more than the budget.
    """
    asked = engine()
    if asked is None:
        return Outcome((), (MISSING,))
    violations: list[Violation] = []
    skipped: dict[str, None] = {}
    budget = Budget()
    for place in places(schema, obj, old):
        value = converted(place.value, place.schema)
        before = None if place.old is None else converted(place.old, place.schema)
        for rule in _rules(place):
            try:
                violations += _asked(asked, budget, place, rule, value, before)
            except Unknown as unknown:
                skipped[f"rule {_short(str(rule.get('rule')))} is not checked here: {unknown}"] = (
                    None
                )
    return Outcome(tuple(violations), tuple(skipped))


def _rules(place: Place) -> Iterator[dict[str, Any]]:
    for rule in place.schema.get(RULES) or ():
        if isinstance(rule, dict) and isinstance(rule.get("rule"), str):
            yield rule


def _asked(
    asked: Engine, budget: Budget, place: Place, rule: dict[str, Any], value: Any, before: Any
) -> Iterator[Violation]:
    text = rule["rule"]
    if uses_old(text):
        if rule.get("optionalOldSelf"):
            raise Unknown("optionalOldSelf")
        if place.old is None:
            return
    budget.spend(text, value)
    try:
        held = asked.evaluate(text, value, before)
    except Broken as broken:
        yield Violation(place.path, text, f"{_message(rule)} ({broken})")
        return
    if not isinstance(held, bool):
        raise Unknown("it is no condition")
    if not held:
        path = (*place.path, *field_path(rule.get("fieldPath")))
        yield Violation(path, text, _told(asked, budget, rule, value, before))


def _told(asked: Engine, budget: Budget, rule: dict[str, Any], value: Any, before: Any) -> str:
    """Return what a rule's author says to who breaks it."""
    expression = rule.get("messageExpression")
    if isinstance(expression, str):
        try:
            budget.spend(expression, value)
            found = asked.evaluate(expression, value, before)
        except (Broken, Unknown):
            found = None
        if isinstance(found, str) and found.strip() and "\n" not in found:
            return found
    return _message(rule)


def _message(rule: dict[str, Any]) -> str:
    message = rule.get("message")
    return (
        message if isinstance(message, str) and message else f"failed rule: {_short(rule['rule'])}"
    )


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 120 else one[:117] + "..."
