"""What happens in one simulation: edits of the manifests and faults, at their virtual seconds. Pure.

Every step stands alone: one that finds nothing to act upon does nothing, so any part of a story is a story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.clock import SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What can go wrong, and what ``Step.value`` means there.
FAULTS = {
    "crash": "the daemon dies before (even) or after (odd) its next VALUE // 2 writes, and is started again",
    "full": "the store refuses every write for VALUE seconds",
    "drop": "every watch ends and what it had not delivered is lost",
    "meddle": "somebody else scales the workload by hand to VALUE replicas",
    "exit": "the VALUEth container of the node ends with code 1",
    "unready": "readiness probes fail for VALUE seconds",
    "jump": "the wall clock jumps by VALUE seconds",
}

EDITS = ("create", "scale", "image", "env", "delete", "rename")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


class Step(NamedTuple):
    """One thing that happens ``at`` virtual seconds: an edit or a fault, to ``target``, as much as ``value``."""

    at: float
    what: str
    target: str = ""
    value: int = 0

    def __str__(self) -> str:
        return f"{self.at:7.2f} s  {self.what} {self.target} {self.value}".rstrip()


class Story(NamedTuple):
    """A seed and its steps, in order of time. ``hours`` of quiet follow the last step."""

    seed: int
    steps: tuple[Step, ...]
    hours: float = 1.0

    def without(self, index: int) -> Story:
        """Return the story without one step."""
        return self._replace(steps=self.steps[:index] + self.steps[index + 1 :])


def tell(seed: int, faults: Iterable[str] = FAULTS, hours: float = 1.0) -> Story:
    """Make up a short story; equal arguments tell equal stories."""
    entropy = SeededEntropy(seed)

    def below(number: int) -> int:
        return min(int(entropy.uniform(0, number)), number - 1)

    # The kinds are told apart by the name, so that a step without its "create" has no meaning to lose.
    names = [f"{WORKLOADS[below(3 + below(2))].lower()}-{n}" for n in range(1 + below(2))]
    steps = [Step(0.0, "create", name, 1 + below(3)) for name in names]
    for _ in range(1 + below(4)):
        what = EDITS[1 + below(len(EDITS) - 1)] if below(4) else "create"
        at = round(entropy.uniform(0, 40), 2)
        steps.append(Step(at, what, names[below(len(names))], below(5)))
    chosen = sorted(faults)
    for _ in range(1 + below(3) if chosen else 0):
        what = chosen[below(len(chosen))]
        at = round(entropy.uniform(0, 45), 2)
        steps.append(Step(at, what, names[below(len(names))], below(40)))
    return Story(seed, tuple(sorted(steps)), hours)
