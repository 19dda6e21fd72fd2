"""Rules of requests and limits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from reconciler.api import names, quantities
from reconciler.api.rules.problem import Part, Path, Problem, invalid, nearest, required

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

_STANDARD = ("cpu", "memory", "ephemeral-storage")


def resources(held: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the requests and limits of a container."""
    limits, requests = held.get("limits") or {}, held.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            yield from _amount(name, value, (*path, group, name))
    for name, value in requests.items():
        yield from _within(name, value, limits.get(name), path)
    if any(n.startswith("hugepages-") for n in (*limits, *requests)) and not any(
        n in limits or n in requests for n in ("cpu", "memory")
    ):
        told = "Forbidden: HugePages require cpu or memory"
        yield Problem(path, "FieldValueForbidden", told, "rule/resources")


def _amount(name: str, value: Any, path: Path) -> Iterator[Problem]:
    if wrong := _name_problem(name):
        yield invalid("resource-name", path, name, wrong, hint=nearest(name, _STANDARD))
        return
    try:
        amount = quantities.parse(0 if value is None else value)
    except ValueError as error:
        yield invalid("resources", path, value, str(error))
        return
    if amount < 0:
        yield invalid("resources", path, str(value), "must be greater than or equal to 0")
    elif _extended(name) and amount.denominator != 1:
        yield invalid("resources", path, str(value), "must be an integer")
    elif name.startswith("hugepages-") and (page := _page(name)) and amount % page:
        told = f"{value} is not positive integer multiple of {name}"
        yield invalid("resources", path, str(value), told)


def _within(name: str, value: Any, limit: Any, path: Path) -> Iterator[Problem]:
    here = (*path, "requests", name)
    whole = _extended(name) or name.startswith("hugepages-")
    named = Problem((*path, "requests"), "", "").field
    try:
        if limit is None:
            if whole:
                told = "Limit must be set for non overcommitable resources"
                yield required("resources", (*path, "limits"), told)
            return
        wanted, most = quantities.parse(value or 0), quantities.parse(limit)
    except ValueError:
        return
    if whole and wanted != most:
        yield invalid(
            "resources", here, str(value), f"must be equal to {name} limit of {limit}", named=named
        )
    elif wanted > most:
        told = f"must be less than or equal to {name} limit of {limit}"
        yield invalid("resources", here, str(value), told, named=named)


@functools.lru_cache(maxsize=512)
def _name_problem(name: str) -> str:
    if name in _STANDARD or name.startswith("hugepages-"):
        return ""
    if wrong := names.qualified_problem(name):
        return wrong
    if "/" not in name:
        return "must be a standard resource type or fully qualified"
    if "kubernetes.io/" not in name and (
        name.startswith("requests.") or names.qualified_problem(f"requests.{name}")
    ):
        return "doesn't follow extended resource name standard"
    return ""


def _extended(name: str) -> bool:
    """Whether a resource is one that a device plug-in adds: it is whole, and cannot be overcommitted."""
    return "/" in name and "kubernetes.io/" not in name


def _page(name: str) -> Fraction | None:
    """Return the size of the pages that ``hugepages-2Mi`` counts; None where it is no size."""
    try:
        return quantities.parse(name.removeprefix("hugepages-"))
    except ValueError:
        return None
