"""Rules that third parties add: an entry point of the group ``reconciler.rules`` names a list of them.

```python
RULES = [
    ExternalRule("acme/team-label", "error", "Every object names its team", check=team_label),
]
```
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import ConfigError
from reconciler.gitops.validate.catalogue import GROUPS, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint

    from reconciler.api.objects import Object
    from reconciler.api.rules import Problem
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

GROUP = "reconciler.rules"


class ExternalRule(NamedTuple):
    """One rule. ``check`` yields what is wrong with one object, by that object alone; it must not change it."""

    id: str  # ``vendor/name``
    severity: str
    title: str
    check: Callable[[Object], Iterable[Problem]]
    origin: str = ""  # the package and the state of its files; set when it is found


def installed() -> tuple[ExternalRule, ...]:
    """Return the rules of every installed package that brings some, in order of their ids. Raises ``ConfigError``."""
    if not _announced():
        return ()
    from importlib.metadata import entry_points

    found: list[ExternalRule] = []
    for point in entry_points(group=GROUP):
        found += _rules(point)
    ids = [r.id for r in found]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice is not None:
        raise ConfigError(f"two installed packages bring a rule {twice}")
    return tuple(sorted(found, key=lambda r: r.id))


def _announced() -> bool:
    """Whether a package may bring rules. ``importlib.metadata`` knows, but loads slower than one file is checked."""
    if any(hasattr(f, "find_distributions") for f in sys.meta_path if f is not PathFinder):
        return True
    return any(_may_name_rules(Path(entry or ".")) for entry in sys.path)


def _may_name_rules(folder: Path) -> bool:
    """Whether a package of a directory names our group; true for an archive, which is not looked into."""
    try:
        with os.scandir(folder) as listing:
            infos = [
                e for e in listing if e.name.lower().endswith((".dist-info", ".egg-info", ".egg"))
            ]
    except NotADirectoryError:
        return True
    except OSError:
        return False
    for info in infos:
        inside = (
            "EGG-INFO/entry_points.txt"
            if info.name.lower().endswith(".egg")
            else "entry_points.txt"
        )
        try:
            if GROUP.encode() in Path(info.path, inside).read_bytes():
                return True
        except (FileNotFoundError, NotADirectoryError):
            # An egg may be an archive of its own.
            if info.name.lower().endswith(".egg") and info.is_file():
                return True
        except OSError:
            return True
    return False


def _rules(point: EntryPoint) -> Iterator[ExternalRule]:
    """Yield what one entry point names."""
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.name
    try:
        loaded: Any = point.load()
        rules = [loaded] if isinstance(loaded, ExternalRule) else list(loaded)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the rules of {package} cannot be loaded: {why}") from error
    origin = f"{package} {_stamps(point.module)}"
    for rule in rules:
        if not isinstance(rule, ExternalRule):
            raise ConfigError(f"the rules of {package}: expected an ExternalRule, got {rule!r}")
        group, _, name = rule.id.partition("/")
        if not name or group in GROUPS:
            raise ConfigError(
                f'the rules of {package}: expected an id as "vendor/name", got "{rule.id}"'
            )
        if rule.severity not in SEVERITIES[1:]:
            raise ConfigError(
                f'{rule.id} of {package}: expected one of {", ".join(SEVERITIES[1:])}, got "{rule.severity}"'
            )
        yield rule._replace(origin=origin)


def _stamps(module: str) -> str:
    """Return names, sizes and times of a module's archive or of the files beside it: they differ when its code may."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return ""
    folder = Path(file).parent
    archive = next((p for p in (folder, *folder.parents) if p.is_file()), folder)
    if archive.is_file():
        info = archive.stat()
        return f"{archive.name}:{info.st_size}:{info.st_mtime_ns}"
    with os.scandir(folder) as listing:
        infos = [(e.name, e.stat()) for e in listing if e.name.endswith(".py")]
    return " ".join(sorted(f"{name}:{i.st_size}:{i.st_mtime_ns}" for name, i in infos))


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
