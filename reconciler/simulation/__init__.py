"""The whole control plane under virtual time, from a seed: random manifests, edits and faults, and what must hold meanwhile.

A seed gives a ``Story``; ``play`` lives it through on the memory runtime and returns a ``Verdict``; ``shrink`` drops
whatever a failing story does not need.
"""

from reconciler.simulation.play import Verdict, play
from reconciler.simulation.shrink import shrink
from reconciler.simulation.story import EDITS, FAULTS, Step, Story, tell

__all__ = ["EDITS", "FAULTS", "Step", "Story", "Verdict", "play", "shrink", "tell"]
