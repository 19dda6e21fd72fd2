"""What a person reads in a terminal: what is wrong, the line it is in, and a caret under the culprit."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

import click

from reconciler.gitops.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.validate.report import Report
    from reconciler.gitops.finding import Finding

#: A source line is cut to so many characters around the culprit.
WIDEST = 110

#: Parts of a Secret that are none: what is wrong with them is shown as it stands, unless its line holds more.
_OPEN = ("/apiVersion", "/kind", "/metadata", "/type", "/immutable")
_KIND = re.compile(r"""\bkind["']?\s*:\s*["']?Secret\b""")
_FIRST_KEY = re.compile(r"""\s*(?:- +)*[\w./-]+:(?=\s|$)""")

_COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


def lines(report: Report) -> Iterator[str]:
    # Findings are in the order of files: no more than one file's lines are held.
    for file, findings in itertools.groupby(report.findings, lambda finding: finding.file):
        source = report.text(file).splitlines()
        for finding in findings:
            yield from _finding(finding, source)
            yield ""
    yield _summary(report)


def _summary(report: Report) -> str:
    worst = next((s for s in ("error", "warning") if report.count(s)), "")
    sign = {"error": "✗", "warning": "!", "": "✓"}[worst]
    color = _COLORS.get(worst, "green")
    return f"{click.style(sign, fg=color, bold=True)} {click.style(report.sentence(), bold=True)}"


def _finding(finding: Finding, source: list[str]) -> Iterator[str]:
    color = _COLORS[finding.severity]
    rule = click.style(_linked(f"[{finding.rule}]", finding.docs), dim=True)
    head = click.style(f"{finding.severity}:", fg=color, bold=True)
    yield f"{head} {click.style(printable(finding.message), bold=True)} {rule}"
    width = len(str(finding.line))
    arrow = click.style(" " * width + "-->", fg="blue", bold=True)
    about = " ".join(p for p in (finding.object.kind, finding.object.name) if p)
    about = click.style(f"  {printable(about)}", dim=True) if about else ""
    yield f"{arrow} {printable(f'{finding.file}:{finding.line}:{finding.column}')}{about}"
    gutter = click.style(" " * width + " |", fg="blue", bold=True)
    if 0 < finding.line <= len(source):
        yield from _excerpt(finding, source, width, gutter, color)
    for word, told in _notes(finding):
        mark = click.style(" " * width + " =", fg="blue", bold=True)
        yield f"{mark} {click.style(f'{word}:', bold=True)} {printable(told)}"


def _linked(text: str, url: str) -> str:
    """Return a text that terminals show as a link (OSC 8); where there is no colour it is stripped with the colours."""
    return f"\033]8;;{url}\033\\{text}\033]8;;\033\\"


def _notes(finding: Finding) -> Iterator[tuple[str, str]]:
    said = finding.message
    for word, told in (("expected", finding.expected), ("got", finding.got)):
        if told and told not in said:
            yield word, told
    if finding.hint and finding.hint not in said:
        yield "hint", finding.hint
    if finding.rendered_line:
        place = f"line {finding.rendered_line}, column {finding.rendered_column}"
        yield "rendered", f"{place} of what the template comes to"


def _excerpt(
    finding: Finding, source: list[str], width: int, gutter: str, color: str
) -> Iterator[str]:
    text = source[finding.line - 1]
    start = min(finding.column - 1, len(text))
    end = finding.end_column - 1 if finding.end_line == finding.line else len(text)
    if finding.end_line == 0 or end <= start:
        end = start + len(_word(text[start:]))
    end = min(max(end, start + 1), max(len(text), start + 1))
    hidden = _hidden(finding, text, source)
    yield gutter
    above = _above(source, finding.line)
    if above and not hidden:
        yield _line(above, source[above - 1], width)
        if above < finding.line - 1:
            yield click.style("…".rjust(width) + " |", fg="blue", bold=True)
    if hidden:
        text = _masked(text)
    shift = max(0, min(start - WIDEST // 3, len(text) - WIDEST))
    shown = text[shift : shift + WIDEST]
    ahead = "…" if shift else ""
    behind = "…" if shift + WIDEST < len(text) else ""
    number = click.style(f"{finding.line:>{width}} |", fg="blue", bold=True)
    yield f"{number} {ahead}{_shown(shown)}{behind}"
    offset = len(ahead) + _width(_shown(text[shift:start]))
    length = max(1, _width(_shown(text[start : min(end, shift + WIDEST)])))
    yield f"{gutter} {' ' * offset}{click.style('^' * length, fg=color, bold=True)}"


def _hidden(finding: Finding, text: str, source: list[str]) -> bool:
    """Whether a line may hold what a Secret holds. Of text that could not be read as objects, nobody knows whose it is."""
    if not finding.object.kind:
        return _KIND.search("\n".join(source)) is not None
    if finding.object.kind != "Secret":
        return False
    alone = not text.lstrip(" -").startswith("{") and "ata" not in text
    return not (alone and (not finding.path or finding.path.startswith(_OPEN)))


def _masked(text: str) -> str:
    """Return a line with everything but its first key made unreadable; every sign stays where it is.

    >>> _masked("  pin: 47 11")
    '  pin: •• ••'
    """
    key = _FIRST_KEY.match(text)
    shown = key.end() if key is not None else 0
    return text[:shown] + re.sub(r"\S", "•", text[shown:])


def _above(source: list[str], line: int) -> int:
    """Return the line that a line belongs to: the nearest one above that is indented less; 0 where there is none."""
    text = source[line - 1]
    depth = len(text) - len(text.lstrip())
    for number in range(line - 1, max(line - 40, 0), -1):
        above = source[number - 1]
        if above.startswith("---"):
            return 0
        if above.strip() and not above.lstrip().startswith("#"):
            indent = len(above) - len(above.lstrip())
            if indent < depth:
                return number
    return 0


def _line(number: int, text: str, width: int) -> str:
    gutter = click.style(f"{number:>{width}} |", fg="blue", bold=True)
    cut = text[:WIDEST] + ("…" if len(text) > WIDEST else "")
    return f"{gutter} {click.style(_shown(cut), dim=True)}"


def _word(text: str) -> str:
    """Return the first word of a text: up to a space or a colon behind a key."""
    for index, sign in enumerate(text):
        if sign.isspace() or sign in ",]}" or text[index : index + 2] == ": ":
            return text[:index]
    return text.removesuffix(":")


def _shown(text: str) -> str:
    return printable(text.replace("\t", " "))


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)
