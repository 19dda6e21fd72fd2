"""A plan as a user reads it on a terminal: a tree of stages and objects, with what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.gitops.diff import unified
from reconciler.gitops.plan import Need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Key
    from reconciler.gitops.plan import Change, Node, Plan

MARKS = {"create": "+", "update": "~", "prune": "-", "hook": "»"}
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "»": "cyan", "@": "cyan"}


def text(plan: Plan) -> str:
    """Return a plan as text with terminal colours (whoever prints it strips them where nobody sees them)."""
    lines = [*_problems(plan)]
    stage = ""
    after = _after(plan)
    shown = [(i, n) for i, n in enumerate(plan.nodes) if is_shown(n)]
    for number, (index, node) in enumerate(shown):
        if str(node.stage) != stage:
            stage = str(node.stage)
            lines.append(click.style(stage, bold=True))
        last = number + 1 == len(shown) or str(shown[number + 1][1].stage) != stage
        lines += _node(node, after.get(index, []), last=last)
    if plan.on_failure:
        lines.append(click.style("if it fails", bold=True))
        for number, change in enumerate(plan.on_failure):
            branch = "└─" if number + 1 == len(plan.on_failure) else "├─"
            lines.append(f"{branch} {_head(change)}")
    lines.append(summary(plan))
    return "\n".join(lines)


def is_shown(node: Node) -> bool:
    """Whether a reader wants to see a node: something happens there."""
    return node.change is not None and node.change.action != "unchanged"


def summary(plan: Plan) -> str:
    """Return the counts in one line."""
    counts = plan.counts()
    told = [
        f"{counts['create']} to create",
        f"{counts['update']} to update",
        f"{counts['prune']} to prune",
        f"{counts['unchanged']} unchanged",
    ]
    if counts["hook"]:
        told.append(f"{counts['hook']} hook{'s' * (counts['hook'] != 1)} to run")
    return ", ".join(told)


def name(key: Key) -> str:
    """Return an object as a user names it: ``Deployment shop/web``."""
    return f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"


def _problems(plan: Plan) -> Iterator[str]:
    for problem in plan.problems:
        yield click.style(f"cannot be ordered: {name(problem.key)}: {problem.message}", fg="red")


def _after(plan: Plan) -> dict[int, list[str]]:
    """Return, for each node, what it comes after for its own sake, in words."""
    found: dict[int, list[str]] = {}
    for edge in plan.edges:
        before = plan.nodes[edge.before]
        if before.external is not None:
            told = f"{name(before.external)} ({edge.reason}; kept by somebody else)"
        elif before.change is not None and is_shown(before):
            how = "" if edge.need is not Need.GONE else " is gone"
            told = f"{name(before.change.key)}{how} ({edge.reason})"
        else:
            continue
        if plan.nodes[edge.after].change is not None:
            found.setdefault(edge.after, []).append(told)
    return found


def _node(node: Node, after: list[str], *, last: bool) -> Iterator[str]:
    change = node.change
    assert change is not None  # noqa: S101 - only changes are shown
    yield f"{'└─' if last else '├─'} {_head(change)}"
    indent = "     " if last else "│    "
    for told in after:
        yield indent + click.style(f"after {told}", dim=True)
    if change.action == "update":
        for line in unified(change.fields):
            yield indent + click.style(f"{line.mark} {line.text}", fg=_COLOURS.get(line.mark))


def _head(change: Change) -> str:
    mark = MARKS[change.action]
    head = click.style(f"{mark} {name(change.key)}", fg=_COLOURS[mark])
    cause = "" if change.action == "update" and change.fields else f"  ({change.cause})"
    return head + click.style(cause, dim=True)
