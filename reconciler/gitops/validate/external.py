"""Rules that third parties add: an entry point of the group ``reconciler.rules`` names a list of them. Pure.

```python
RULES = [
    ExternalRule("acme/team-label", "error", "Every object names its team", check=team_label),
]
```
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.api.objects import Object
    from reconciler.api.rules import Problem
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

GROUP = "reconciler.rules"


class ExternalRule(NamedTuple):
    """One rule. ``check`` yields what is wrong with one object; it must not change the object."""

    id: str  # ``vendor/name``
    severity: str
    title: str
    check: Callable[[Object], Iterable[Problem]]


def installed() -> tuple[ExternalRule, ...]:
    """Return the rules of every installed package that brings some, in order of their ids."""
    found: list[ExternalRule] = []
    for point in entry_points(group=GROUP):
        loaded = point.load()
        found += [loaded] if isinstance(loaded, ExternalRule) else list(loaded)
    return tuple(sorted(found, key=lambda r: r.id))


def check_external(document: Document, rules: Iterable[ExternalRule]) -> Iterator[Finding]:
    """Yield what third parties' rules find; a rule that fails is itself a finding, and stops no other."""
    for rule in rules:
        try:
            problems = list(rule.check(document.object))
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            told = f"the rule failed: {type(error).__name__}"
            yield document.finding(rule.id, "error", told)
            continue
        for problem in problems:
            told = f"{problem.field}: {problem.message}" if problem.path else problem.message
            yield document.finding(
                rule.id, rule.severity, told, problem.path, problem.hint,
                expected=problem.expected, got=problem.got,
            )  # fmt: skip
