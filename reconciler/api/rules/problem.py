"""One thing that is wrong with an object, worded as a kube-apiserver words it, under the id of the rule that says so."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path = tuple[str | int, ...]
Part = dict[str, Any]

#: Parents whose keys are a user's own words: Kubernetes writes them in brackets.
_MAPS = frozenset(
    {"data", "binaryData", "stringData", "limits", "requests", "capacity", "labels", "annotations"}
)


class Problem(NamedTuple):
    """``path`` leads to the culprit; ``reason`` is that of a Status cause; ``rule`` is an id of the catalogue."""

    path: Path
    reason: str
    message: str
    rule: str = "rule/invalid"
    hint: str = ""
    named: str = ""  # the field as a kube-apiserver names it, where that is not the path
    expected: str = ""
    got: str = ""

    @property
    def field(self) -> str:
        """The path as Kubernetes prints it: ``spec.containers[0].resources.limits[cpu]``."""
        if self.named:
            return self.named
        text = ""
        inside = False
        for part in self.path:
            text += f"[{part}]" if inside or isinstance(part, int) else f".{part}"
            inside = part in _MAPS
        return text.lstrip(".")


def invalid(
    rule: str, path: Path, value: Any, why: str, *, hint: str = "", named: str = ""
) -> Problem:
    """Say that a value may not be what it is, and why."""
    shown = _shown(value)
    message = f"Invalid value: {shown}: {why}"
    return Problem(path, "FieldValueInvalid", message, f"rule/{rule}", hint, named, why, shown)


def required(rule: str, path: Path, why: str = "", *, named: str = "") -> Problem:
    """Say that something is missing; ``path`` is where it would stand."""
    message = f"Required value{': ' + why if why else ''}"
    return Problem(
        path, "FieldValueRequired", message, f"rule/{rule}", "", named, why or "a value", "nothing"
    )


def duplicate(rule: str, path: Path, value: Any) -> Problem:
    """Say that a value stands twice where it must be the only one; ``path`` is the second."""
    shown = _shown(value)
    message = f"Duplicate value: {shown}"
    return Problem(
        path,
        "FieldValueDuplicate",
        message,
        f"rule/{rule}",
        "",
        "",
        "a value that stands once",
        shown,
    )


def too_many(rule: str, path: Path, count: int, most: int) -> Problem:
    """Say that a list has more items than are allowed."""
    message = f"Too many: {count}: must have at most {most} items"
    return Problem(path, "FieldValueTooMany", message, f"rule/{rule}")


def not_found(rule: str, path: Path, value: Any, known: Iterable[str] = ()) -> Problem:
    """Say that nothing has this name; ``known`` are the names that exist."""
    shown = _shown(value)
    names = sorted(known)
    expected = "one of " + ", ".join(names) if names else ""
    return Problem(
        path,
        "FieldValueNotFound",
        f"Not found: {shown}",
        f"rule/{rule}",
        nearest(value, names),
        "",
        expected,
        shown,
    )


def forbidden(rule: str, path: Path, why: str, *, named: str = "") -> Problem:
    """Say that a field may not stand here."""
    return Problem(
        path,
        "FieldValueForbidden",
        f"Forbidden: {why}",
        f"rule/{rule}",
        "",
        named,
        "no such field here",
    )


def unsupported(rule: str, path: Path, value: Any, supported: Iterable[str]) -> Problem:
    """Say that a value is none of those supported."""
    words = sorted(supported)
    shown = _shown(value)
    listed = ", ".join(f'"{w}"' for w in words)
    return Problem(
        path, "FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {listed}",
        f"rule/{rule}", nearest(value, words), "", "one of " + ", ".join(words), shown,
    )  # fmt: skip


def nearest(value: Any, words: Iterable[str]) -> str:
    """Return ``did you mean "x"?`` for the word that a value is most like; empty where none is.

    >>> nearest("Recreat", ["Recreate", "RollingUpdate"])
    'did you mean "Recreate"?'
    """
    lower = {w.lower(): w for w in words}
    near = difflib.get_close_matches(str(value).lower(), list(lower), 1, 0.6)
    return f'did you mean "{lower[near[0]]}"?' if near else ""


def each(parent: Part, field: str, path: Path) -> Iterator[tuple[Path, Part]]:
    """Yield the path and value of every item of a list of objects; null is read as an empty one, as Kubernetes does."""
    for index, item in enumerate(parent.get(field) or ()):
        yield (*path, field, index), item if isinstance(item, dict) else {}


def below(parent: Part, field: str) -> Part:
    """Return an object below another, or an empty one."""
    found = parent.get(field)
    return found if isinstance(found, dict) else {}


def not_negative(rule: str, parent: Part, path: Path, *fields: str) -> Iterator[Problem]:
    """Yield every field that holds a number below zero."""
    for field in fields:
        value = parent.get(field)
        if isinstance(value, int) and value < 0:
            yield invalid(rule, (*path, field), value, "must be greater than or equal to 0")


def _shown(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), default=str)
    return text if len(text) <= 400 else text[:397] + "..."
