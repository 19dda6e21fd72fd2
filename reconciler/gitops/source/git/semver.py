"""Semantic versions and ranges of them, as tags are chosen by (semver.org 2.0.0; ranges as npm and Flux write). Pure.

A range is alternatives (``||``) of conditions that must all hold: ``>=1.2.0 <2.0.0``, ``^1.2``, ``~1.2.3``, ``1.x``, ``*``,
``1.2 - 1.4``. Pre-releases are chosen only by a condition that names one of the same version, as ``>=2.0.0-rc.1`` does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_PRE = r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+(?P<build>[0-9A-Za-z.-]+))?"
_VERSION = re.compile(
    rf"^[vV]?(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER}){_PRE}$"
)
_WILD = rf"(?:{_NUMBER}|[xX*])"
_PARTIAL = re.compile(
    rf"^[vV]?(?P<major>{_WILD})(?:\.(?P<minor>{_WILD}))?(?:\.(?P<patch>{_WILD}))?{_PRE}$"
)
_CONDITION = re.compile(r"(?P<op><=|>=|!=|<|>|=|\^|~)?\s*(?P<version>[^\s,<>=!^~|]+)")
_HYPHEN = re.compile(r"(?P<low>\S+)\s+-\s+(?P<high>\S+)")
#: A range longer than this is a mistake.
LONGEST = 256

Identifier = tuple[int, int, str]


class Version(NamedTuple):
    """A version; compares by precedence (semver.org item 11)."""

    major: int
    minor: int
    patch: int
    pre: tuple[Identifier, ...]

    @property
    def triple(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    @property
    def is_pre(self) -> bool:
        return self.pre != _RELEASE


#: A release comes after each of its pre-releases.
_RELEASE: tuple[Identifier, ...] = ((2, 0, ""),)

#: Conditions that a whole version makes exact; of a part of one they speak of all that begin with it.
_EXACT: dict[str, Callable[[Version, Version], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<=": operator.le,
}

Test = tuple[Callable[[Version], bool], Version | None]


def version(text: str) -> Version | None:
    """Read a version (``v1.2.3``, ``1.2.3-rc.1``); None for what is none."""
    found = _VERSION.match(text)
    if found is None:
        return None
    return Version(
        int(found["major"]), int(found["minor"]), int(found["patch"]), _pre(found["pre"])
    )


def _pre(text: str | None) -> tuple[Identifier, ...]:
    if not text:
        return _RELEASE
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in text.split("."))


class Range:
    """A parsed range."""

    def __init__(self, text: str) -> None:
        """Parse; raises ``ValueError`` that says what cannot be read."""
        if len(text) > LONGEST:
            raise ValueError(f"a range is at most {LONGEST} characters long")
        self._alternatives = [_conditions(part) for part in text.split("||")]

    def __contains__(self, candidate: Version) -> bool:
        return any(_holds(tests, candidate) for tests in self._alternatives)

    def newest(self, tags: Iterable[str]) -> str | None:
        """Return the tag of the highest version in the range; of equal ones the last in the alphabet."""
        best: tuple[Version, str] | None = None
        for tag in tags:
            found = version(tag)
            if found is not None and found in self and (best is None or (found, tag) > best):
                best = (found, tag)
        return best[1] if best else None


def _holds(tests: list[Test], candidate: Version) -> bool:
    if not all(test(candidate) for test, _ in tests):
        return False
    if not candidate.is_pre:
        return True
    return any(
        named is not None and named.is_pre and named.triple == candidate.triple
        for _, named in tests
    )


def _conditions(text: str) -> list[Test]:
    text = text.strip()
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen is not None:
        return [*_condition(">=", hyphen["low"]), *_condition("<=", hyphen["high"])]
    if not text:
        raise ValueError("a range is empty: expected one as '>=1.2.0 <2.0.0' or '*'")
    tests: list[Test] = []
    at = 0
    for found in _CONDITION.finditer(text):
        if text[at : found.start()].strip(" ,\t"):
            break
        tests += _condition(found["op"] or "=", found["version"])
        at = found.end()
    if text[at:].strip(" ,\t"):
        raise ValueError(f"cannot read {text[at:].strip()!r} in the range {text!r}")
    return tests


def _condition(op: str, text: str) -> list[Test]:
    found = _PARTIAL.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version: expected one as 1.2.3 or 1.x")
    parts: list[int] = []
    for name in ("major", "minor", "patch"):
        value = found[name]
        if value is None or value in "xX*":
            break
        parts.append(int(value))
    major, minor, patch = [*parts, 0, 0, 0][:3]
    low = Version(major, minor, patch, _pre(found["pre"]))
    named = low if found["pre"] else None
    if op in _EXACT and len(parts) == 3:
        compare = _EXACT[op]
        return [(lambda v: compare(v, low), named)]
    if op in (">=", "<"):
        compare = operator.ge if op == ">=" else operator.lt
        return [(lambda v: compare(v, low), named)]
    ceiling = _ceiling(op, parts)
    match op:
        case ">":
            return [(lambda v: not _below(v, ceiling), None)]
        case "<=":
            return [(lambda v: _below(v, ceiling), None)]
        case "!=":
            return [(lambda v: not (v >= low and _below(v, ceiling)), None)]
        case _:
            return [(lambda v: v >= low and _below(v, ceiling), named)]


def _ceiling(op: str, parts: list[int]) -> tuple[int, int, int] | None:
    if op == "^":
        return _next(parts[: _significant(parts)])
    return _next(parts[:2]) if op == "~" else _next(parts)


def _significant(parts: list[int]) -> int:
    """Return how many numbers may not change under ``^``: up to the first that is not zero."""
    return next((i + 1 for i, n in enumerate(parts) if n), len(parts))


def _next(parts: list[int]) -> tuple[int, int, int] | None:
    """Return the first version after all that begin with these numbers; None: there is none."""
    if not parts:
        return None
    a, b, c = [*parts[:-1], parts[-1] + 1, 0, 0][:3]
    return (a, b, c)


def _below(candidate: Version, ceiling: tuple[int, int, int] | None) -> bool:
    return ceiling is None or candidate.triple < ceiling
