"""Label and field selectors: their text (``a=b,c!=d,e in (x,y),!f``), their object form, and what they match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.api.objects import Object


class Requirement(NamedTuple):
    """One condition on a label. ``operator``: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                try:
                    left, right = int(value or ""), int(self.values[0])
                except (ValueError, IndexError):
                    return False
                return left > right if self.operator == "Gt" else left < right
        return False

    def __str__(self) -> str:
        match self.operator:
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case "NotIn" if len(self.values) == 1:
                return f"{self.key}!={self.values[0]}"
            case "In" | "NotIn":
                return f"{self.key} {self.operator.lower()} ({','.join(sorted(self.values))})"
            case "DoesNotExist":
                return f"!{self.key}"
            case "Gt" | "Lt":
                return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{self.values[0]}"
        return self.key


class Selector(NamedTuple):
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        return not self.nothing and all(r.matches(labels) for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)


EVERYTHING = Selector()
#: What a missing (null) selector of a Service or a workload matches.
NOTHING = Selector(nothing=True)

_PART = re.compile(
    r"""\s*(?:
        !\s*(?P<absent>[\w./-]+)
      | (?P<set>[\w./-]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>[\w./-]+)\s*(?:(?P<cmp>==|!=|=|>|<)\s*(?P<value>[\w./-]*))?
    )\s*(?:,|$)""",
    re.VERBOSE,
)
_COMPARE = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}


def parse(text: str) -> Selector:
    """Parse a label selector's text; raises ``BadRequest`` that names what cannot be read."""
    found: list[Requirement] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise BadRequest(f"unable to parse label selector {text!r} at {text[at:]!r}")
        at = match.end()
        if match["absent"]:
            found.append(Requirement(match["absent"], "DoesNotExist"))
        elif match["set"]:
            values = tuple(v.strip() for v in match["values"].split(","))
            found.append(
                Requirement(match["set"], "In" if match["op"] == "in" else "NotIn", values)
            )
        elif match["cmp"]:
            found.append(Requirement(match["key"], _COMPARE[match["cmp"]], (match["value"],)))
        else:
            found.append(Requirement(match["key"], "Exists"))
    return Selector(tuple(found))


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """Return the selector of a plain map, as a Service's; None or empty matches nothing."""
    if not labels:
        return NOTHING
    return Selector(tuple(Requirement(k, "In", (v,)) for k, v in labels.items()))


def from_object(selector: Mapping[str, Any] | None) -> Selector:
    """Return the selector of a LabelSelector; null matches nothing, empty matches everything."""
    if selector is None:
        return NOTHING
    found = [
        Requirement(k, "In", (str(v),)) for k, v in (selector.get("matchLabels") or {}).items()
    ]
    for one in selector.get("matchExpressions") or ():
        values = tuple(str(v) for v in one.get("values") or ())
        found.append(Requirement(str(one.get("key", "")), str(one.get("operator", "")), values))
    return Selector(tuple(found))


def matcher(selector: Mapping[str, Any] | None) -> Callable[[Mapping[str, str]], bool]:
    """Return the test of a LabelSelector, for many labels: without expressions it is one comparison."""
    if selector is None or selector.get("matchExpressions"):
        return from_object(selector).matches
    pairs = {k: str(v) for k, v in (selector.get("matchLabels") or {}).items()}.items()
    return lambda labels: pairs <= labels.items()


class FieldSelector(NamedTuple):
    """Conditions on fields by their dotted path: (path, equal?, value)."""

    requirements: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Object) -> bool:
        return all((read(obj, path) == value) is equal for path, equal, value in self.requirements)


def read(obj: Object, path: str) -> str:
    """Read a field by its dotted path as text; what is missing is empty."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_FIELD = re.compile(r"[a-zA-Z][\w.]*")


def parse_fields(text: str) -> FieldSelector:
    """Parse a field selector (``metadata.name=a,status.phase!=Running``); raises ``BadRequest``."""
    found: list[tuple[str, bool, str]] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        path, operator, value = part.partition("!=")
        if not operator:
            path, operator, value = part.partition("==")
        if not operator:
            path, operator, value = part.partition("=")
        if not operator or not _FIELD.fullmatch(path.strip()):
            raise BadRequest(
                f"unable to parse field selector {text!r} at {part!r}: expected field=value"
            )
        found.append((path.strip(), operator != "!=", value.strip()))
    return FieldSelector(tuple(found))
