"""Make a failing story short: drop every step that its failure does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.simulation.play import Verdict
    from reconciler.simulation.story import Story


def shrink(failed: Verdict, play: Callable[[Story], Verdict]) -> Verdict:
    """Return the verdict on a shortest story that still fails; plays it at most N * (N + 1) / 2 times for N steps."""
    index = 0
    while index < len(failed.story.steps):
        shorter = play(failed.story.without(index))
        if shorter.broken:
            failed, index = shorter, 0
        else:
            index += 1
    return failed
