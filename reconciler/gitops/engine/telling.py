"""What conditions say, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.gitops.engine.policy.pruning import Pruning

#: So many names are told for one reason.
TOLD_NAMES = 10


def held_message(pruning: Pruning, app: str) -> str:
    """Say what is not pruned, by reason, and how to let it go."""
    by_reason: dict[str, list[str]] = {}
    for held in pruning.held:
        if held.confirmable or not pruning.digest:
            by_reason.setdefault(held.reason, []).append(str(held.key))
    lines = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - TOLD_NAMES} more" if len(names) > TOLD_NAMES else ""
        lines.append(f"{reason}: {', '.join(names[:TOLD_NAMES])}{more}")
    if pruning.digest:
        lines.append(f"`reconciler sync {app} --confirm-prune` prunes them")
    return "\n".join(lines)
