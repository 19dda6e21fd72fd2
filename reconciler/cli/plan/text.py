"""A plan as a user reads it on a terminal: a tree of stages and objects, with what differs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from reconciler.gitops.diff import FieldChange, Line, unified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: A change, or a plan, as ``Plan.to_json`` tells it.
Shown = dict[str, Any]

MARKS = {"create": "+", "update": "~", "prune": "-", "hook": "»"}
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "»": "cyan", "@": "cyan"}


def text(plan: Mapping[str, Any]) -> str:
    """Return a plan as text with terminal colours (whoever prints it strips them where nobody sees them)."""
    lines = [*_problems(plan)]
    for stage, changes in by_stage(plan):
        lines.append(click.style(stage, bold=True))
        for number, change in enumerate(changes):
            lines += _change(change, last=number + 1 == len(changes))
    lines += _held(plan)
    lines.append(summary(plan))
    return "\n".join(lines)


def by_stage(plan: Mapping[str, Any]) -> Iterator[tuple[str, list[Shown]]]:
    """Yield the stages of a plan in order, each with its changes; what runs on failure comes last."""
    for stage, changes in groupby(plan["changes"], lambda c: str(c["stage"])):
        yield stage, list(changes)
    if plan.get("onFailure"):
        yield "if it fails", plan["onFailure"]


def summary(plan: Mapping[str, Any]) -> str:
    """Return the counts in one line."""
    counts = plan["summary"]
    told = [
        f"{counts['create']} to create",
        f"{counts['update']} to update",
        f"{counts['prune']} to prune",
        f"{counts['unchanged']} unchanged",
    ]
    if counts["hook"]:
        told.append(f"{counts['hook']} hook{'s' * (counts['hook'] != 1)} to run")
    return ", ".join(told)


def name(change: Mapping[str, Any]) -> str:
    """Return an object as a user names it: ``Deployment shop/web``."""
    where = f"{change['namespace']}/" if change.get("namespace") else ""
    return f"{change['kind']} {where}{change['name']}"


def lines_of(change: Mapping[str, Any]) -> list[Line]:
    """Return what differs, as the lines of a unified diff."""
    fields = (FieldChange(f["path"], f["before"], f["after"]) for f in change["fields"])
    return list(unified(fields))


def after(change: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a change comes after, in words."""
    for needed in change.get("after") or ():
        is_gone = " is gone" if needed["need"] == "gone" else ""
        kept = f", kept by {needed['keptBy']}" if needed.get("keptBy") else ""
        yield f"{needed['object']}{is_gone} ({needed['reason']}{kept})"


def _problems(plan: Mapping[str, Any]) -> Iterator[str]:
    for problem in plan.get("problems") or ():
        yield click.style(f"cannot be ordered: {problem['object']}: {problem['message']}", fg="red")


def _held(plan: Mapping[str, Any]) -> Iterator[str]:
    for held in plan.get("held") or ():
        yield click.style(f"! {held['object']}: {held['message']}", fg="yellow")


def _change(change: Shown, *, last: bool) -> Iterator[str]:
    mark = MARKS[change["action"]]
    cause = "" if change["fields"] else click.style(f"  ({change['cause']})", dim=True)
    head = click.style(f"{mark} {name(change)}", fg=_COLOURS[mark])
    yield f"{'└─' if last else '├─'} {head}{cause}"
    indent = "     " if last else "│    "
    told = [t for t in after(change) if not t.startswith("Namespace/")]
    if told:
        yield indent + click.style(f"after {', '.join(told)}", dim=True)
    for line in lines_of(change):
        yield indent + click.style(f"{line.mark} {line.text}", fg=_COLOURS.get(line.mark))
