"""Rules of label selectors and their requirements, wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.metadata import check_labels
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    each,
    forbidden,
    invalid,
    nearest,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def label_selector(selector: Part | None, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a LabelSelector; null is one that is not set."""
    if not selector:
        return
    if held := selector.get("matchLabels"):
        yield from check_labels(held, (*path, "matchLabels"), rule="selector")
    for here, one in each(selector, "matchExpressions", path):
        yield from _requirement(one, here)


def _requirement(one: Part, path: Path) -> Iterator[Problem]:
    operator, values = one.get("operator") or "", one.get("values")
    match operator:
        case "In" | "NotIn":
            if not values:
                yield required(
                    "selector",
                    (*path, "values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                )
        case "Exists" | "DoesNotExist":
            if values:
                yield forbidden(
                    "selector", (*path, "values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                )  # fmt: skip
        case _:
            hint = nearest(operator, _OPERATORS) or "write In, NotIn, Exists or DoesNotExist"
            yield invalid(
                "selector",
                (*path, "operator"),
                operator,
                "not a valid selector operator",
                hint=hint,
            )
    if wrong := names.qualified_problem(one.get("key") or ""):
        yield invalid("selector", (*path, "key"), one.get("key"), wrong)
    for index, value in enumerate(values or ()):
        if wrong := names.label_value_problem(value or ""):
            yield invalid("selector", (*path, "values", index), value, wrong)
