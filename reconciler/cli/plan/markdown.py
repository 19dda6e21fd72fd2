"""A plan as a comment on a pull request: a table of what changes, and what differs, folded.

No longer than what a comment may hold; what is left out is said. Names and values are the repository's, and a comment is
read by people who trust it: nothing of them can end a code block or become markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.cli.plan.text import MARKS, after, by_stage, lines_of, name, summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: GitHub takes comments of so many characters; some are left for what a workflow adds.
LONGEST = 65_536 - 1024
#: By this a workflow finds the comment that it wrote before.
MARKER = "<!-- reconciler plan -->"

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~])")
_WORDS = {"create": "create", "update": "update", "prune": "prune", "hook": "run"}


def markdown(plan: Mapping[str, Any], longest: int = LONGEST) -> str:
    """Return a plan in GitHub's Markdown, of at most ``longest`` characters."""
    head = [MARKER, f"### Plan: {summary(plan)}", ""]
    for problem in plan.get("problems") or ():
        told = f"{problem['object']}: {problem['message']}"
        head.append(f"> ❌ cannot be ordered: {escaped(told)}")
    if not plan["changes"]:
        return "\n".join([*head, "Nothing changes."])
    parts: list[str] = []
    room = longest - len("\n".join(head)) - 200
    left_out = 0
    for part in _parts(plan):
        if left_out or len(part) + 1 > room:
            left_out += part.startswith("<details>")
            continue
        parts.append(part)
        room -= len(part) + 1
    if left_out:
        told = f"…and what differs in {left_out} more: there is no room for it here."
        parts.append(f"\n*{told}* `reconciler plan` prints all of it.")
    return "\n".join([*head, *parts])


def _parts(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table's rows, then a folded diff a change, each whole."""
    yield "| | object | why | after |\n|---|---|---|---|"
    for stage, changes in by_stage(plan):
        yield f"| | **{escaped(stage)}** | | |"
        for change in changes:
            comes = "; ".join(after(change))
            cells = (_WORDS[change["action"]], name(change), change["cause"], comes)
            yield "| " + " | ".join(escaped(c) for c in cells) + " |"
    yield ""
    for _, changes in by_stage(plan):
        yield from (_folded(c) for c in changes if c["fields"])


def _folded(change: Mapping[str, Any]) -> str:
    lines = [f"{line.mark} {line.text}" for line in lines_of(change)]
    ticks = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, ticks + 1)
    title = f"{MARKS[change['action']]} {name(change)}"
    body = "\n".join(lines)
    return (
        f"<details><summary>{_html(title)}</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>"
    )


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line, and that calls nobody (``@name``)."""
    return _SPECIAL.sub(r"\\\1", _html(" ".join(text.split())))


def _html(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        text = text.replace(character, entity)
    return text
