"""Findings that a manifest's author has looked at: ``# reconciler: ignore=RULE reason``. Pure.

Such a comment stands behind the line it is about, or alone above it; in the head of a file, before anything else, it is
about the whole file. RULE is a rule's id, a family (``runtime/*``), or several of them with commas between. An ignore
without a reason, and one that matches nothing, are findings themselves: what is silenced must stay explained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.gitops.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: The bytes that a file must hold to be looked through.
MARK = b"reconciler: ignore="
_MARK = MARK.decode()
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*reconciler: ignore=(\S*)[ \t]*(.*?)\s*$")

#: Findings about ignores cannot be ignored, nor what keeps a file from being read at all.
_NEVER = ("ignore/",)


class Ignore(NamedTuple):
    """One comment: the rules it silences, why, where it stands, and the line it is about (0: the whole file)."""

    rules: tuple[str, ...]
    reason: str
    line: int
    column: int
    end_column: int
    about: int

    def matches(self, finding: Finding, line: int) -> bool:
        """Whether a finding at a line of the text is one of those."""
        if self.about not in (0, line) or finding.rule.startswith(_NEVER):
            return False
        family = finding.rule.partition("/")[0] + "/*"
        return finding.rule in self.rules or family in self.rules


class Ignored(NamedTuple):
    """A finding that a comment silences, and the comment's reason."""

    finding: Finding
    reason: str


def find(text: str) -> list[Ignore]:
    """Return the comments of a text."""
    if _MARK not in text:
        return []
    lines = text.splitlines()
    head = True
    found: list[Ignore] = []
    for number, line in enumerate(lines, 1):
        comment = line.lstrip().startswith("#")
        match = _COMMENT.search(line) if _MARK in line else None
        if match is not None:
            rules = tuple(r for r in match[1].split(",") if r)
            about = number
            if comment:
                about = 0 if head else _next_line(lines, number)
            column, end = match.start() + 1, len(line.rstrip()) + 1
            found.append(Ignore(rules, match[2], number, column, end, about))
        head = head and (comment or not line.strip())
    return found


def _next_line(lines: list[str], number: int) -> int:
    """Return the first line behind a comment that is no comment itself."""
    for index in range(number, len(lines)):
        if lines[index].strip() and not lines[index].lstrip().startswith("#"):
            return index + 1
    return number


def apply(
    findings: Iterable[Finding],
    texts: Iterable[tuple[str, str]],
    *,
    asked: Callable[[str], bool] = lambda _: True,
) -> tuple[list[Finding], list[Ignored]]:
    """Return what remains of findings, and what was silenced. ``texts`` are files' names and texts.

    ``asked`` says whether a rule was looked at this time: an ignore of one that was not is not told to be unused.
    """
    comments = {file: found for file, text in texts if (found := find(text))}
    kept: list[Finding] = []
    silenced: list[Ignored] = []
    used: set[tuple[str, int]] = set()
    for finding in findings:
        matched = [i for i in comments.get(finding.file, ()) if i.matches(finding, finding.line)]
        used |= {(finding.file, i.line) for i in matched}
        if matched:
            silenced.append(Ignored(finding, matched[0].reason))
        else:
            kept.append(finding)
    for file, found in comments.items():
        kept += _about(file, found, used, asked)
    return kept, silenced


def _about(
    file: str, ignores: Sequence[Ignore], used: set[tuple[str, int]], asked: Callable[[str], bool]
) -> list[Finding]:
    told: list[Finding] = []
    for one in ignores:
        what = ",".join(one.rules)
        about = Finding(
            "", "warning", "", file, one.line, one.column, end_line=one.line, end_column=one.end_column
        )  # fmt: skip
        if not one.reason:
            told.append(about._replace(
                rule="ignore/no-reason", message=f"ignore={what} does not say why",
                hint=f"# reconciler: ignore={what or 'RULE'} because …",
            ))  # fmt: skip
        if (file, one.line) not in used and all(asked(r) for r in one.rules):
            told.append(about._replace(
                rule="ignore/unused", message=f"ignore={what} matches no finding",
                hint="remove the comment, or correct the rule",
            ))  # fmt: skip
    return told
