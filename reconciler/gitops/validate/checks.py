"""What is checked, and against what: which rules count and how much, which schemas, which Kubernetes. Pure."""

from __future__ import annotations

import difflib
import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.api import schemas
from reconciler.errors import BadRequest
from reconciler.gitops.validate.catalogue import GROUPS, RULES, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.objects import GroupVersionKind
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.validate.external import ExternalRule

_KIND = re.compile(r"(?:[^/\s]+/){0,2}[^/\s]+")

#: The Kubernetes that the schemas in the package describe.
NEWEST = (1, 36)


class Schemas(Protocol):
    """Where the schemas of kinds come from."""

    def validator(self, gvk: GroupVersionKind) -> schemas.Validator | None:
        """Return what checks objects of a kind, or None where there is no schema."""

    def key(self) -> str:
        """Return a text that differs when the schemas may."""

    @property
    def stable(self) -> bool:
        """Whether ``key`` can be relied on: verdicts may be kept under it."""


class Packaged:
    """The schemas that come with this program."""

    stable = True

    def validator(self, gvk: GroupVersionKind) -> schemas.Validator | None:
        return schemas.validator(gvk)

    def key(self) -> str:
        return "packaged"


class Checks(NamedTuple):
    """What to check. Kinds are written ``Kind`` or ``group/version/Kind``, as kubeconform writes them."""

    levels: Mapping[str, str] = MappingProxyType({})  # rule id or ``group/*`` -> severity
    schemas: Schemas = Packaged()
    kubernetes: tuple[int, int] = NEWEST
    require_schemas: bool = False  # a kind without a schema is an error
    ignore_missing_schemas: bool = False  # nothing is told of a kind without a schema
    skip: frozenset[str] = frozenset()
    reject: frozenset[str] = frozenset()
    external: tuple[ExternalRule, ...] = ()  # rules of third parties

    def level(self, rule: str, otherwise: str) -> str:
        """Return the severity that a rule's findings have; ``off`` for one that is not asked for."""
        given = self.levels.get(rule)
        if given is None:
            given = self.levels.get(f"{rule.partition('/')[0]}/*")
        return otherwise if given is None else given

    def wants(self, rule: str) -> bool:
        """Whether a rule of the catalogue is asked at all."""
        known = RULES.get(rule)
        return self.level(rule, known.severity if known else "error") != "off"

    def apply(self, finding: Finding) -> Finding | None:
        """Return a finding with the severity that was asked for; None where its rule is off."""
        level = self.level(finding.rule, finding.severity)
        if level == finding.severity:
            return finding
        return None if level == "off" else finding._replace(severity=level)

    def key(self) -> str:
        """Return a text that differs when verdicts of one document may: for caches."""
        parts = (
            sorted(self.levels.items()), self.schemas.key(), self.kubernetes, self.require_schemas,
            self.ignore_missing_schemas, sorted(self.skip), sorted(self.reject),
            [(r.id, r.severity, r.origin) for r in self.external],
        )  # fmt: skip
        return repr(parts)


def kinds_of(words: Iterable[str]) -> frozenset[str]:
    """Read words such as ``Secret`` or ``apps/v1/Deployment,v1/Pod`` for ``named``. Raises ``BadRequest``."""
    found = frozenset(w.strip() for text in words for w in text.split(",") if w.strip())
    for word in sorted(found):
        if not _KIND.fullmatch(word):
            raise BadRequest(f'"{word}" is no kind: expected one as Secret or apps/v1/Deployment')
    return found


def named(gvk: GroupVersionKind, words: frozenset[str]) -> bool:
    """Whether a kind is among words such as ``Secret`` or ``apps/v1/Deployment``, in any case."""
    if not words:
        return False
    lower, kind = _lowered(words), gvk.kind.lower()
    return kind in lower or f"{gvk.api_version.lower()}/{kind}" in lower


@functools.lru_cache(maxsize=16)
def _lowered(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words)


def level_of(rule: str, severity: str, known: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return a rule and its severity as given; raises ``BadRequest`` for what there is not, with the nearest name.

    ``known`` are ids beside the catalogue's. ``group/*`` stands for a whole group.
    """
    ids = [*RULES, *known, *(f"{g}/*" for g in GROUPS)]
    if rule not in ids:
        near = difflib.get_close_matches(rule, ids, 1, 0.6)
        hint = f', did you mean "{near[0]}"?' if near else "; docs/validation-rules.md lists them"
        raise BadRequest(f'there is no rule "{rule}"{hint}')
    if severity not in SEVERITIES:
        raise BadRequest(f'{rule}: expected one of {", ".join(SEVERITIES)}, got "{severity}"')
    return rule, severity


def parse_version(text: str) -> tuple[int, int]:
    """Read ``1.29``, ``v1.29.3`` or ``master``; raises ``BadRequest``.

    >>> parse_version("v1.29.3")
    (1, 29)
    """
    if text in ("master", "latest"):
        return NEWEST
    parts = text.removeprefix("v").split(".")
    if len(parts) in (2, 3) and all(p.isdigit() for p in parts):
        return int(parts[0]), int(parts[1])
    raise BadRequest(f'"{text}" is no Kubernetes version: expected one as 1.29 or 1.29.3')
