"""What happens in one simulation: edits of the manifests and faults, at their virtual seconds. Pure.

Every step stands alone: one that finds nothing to act upon does nothing, so any part of a story is a story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.clock import SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: What can go wrong, and what ``Step.value`` means there.
FAULTS = {
    "crash": "the daemon dies before (even) or after (odd) its next VALUE // 2 writes, and is started again",
    "reboot": "the machine dies with everything that runs on it, and is started again",
    "full": "the store refuses every write for VALUE seconds",
    "flaky": "the store refuses every third write for VALUE seconds",
    "drop": "every watch ends and what it had not delivered is lost",
    "compact": "the same, and the next VALUE watches begin at a revision that is not kept any more (410)",
    "stale": "no watch delivers for VALUE / 4 seconds (VALUE % 3: any, of Pods, of anything but Pods)",
    "meddle": "somebody else scales the workload by hand to VALUE replicas",
    "steal": "somebody else takes the image of the workload by force",
    "touch": "somebody else annotates the workload and its Pods all the time, for VALUE / 10 seconds",
    "remove": "somebody else deletes an object of the workload by hand; VALUE % 7 is which, and how",
    "kill": "somebody else deletes the VALUEth Pod: with grace (even), or by force (odd)",
    "evict": "somebody else asks for the eviction of every Pod of the workload",
    "pressure": "the node is short of something and its kubelet evicts the VALUEth Pod",
    "exit": "the VALUEth container of the node ends with code 1",
    "unready": "readiness probes fail for VALUE seconds",
    "unpullable": "no image can be pulled for VALUE seconds",
    "unstartable": "no container can be started for VALUE seconds: its command is not found",
    "load": "the Pods of the workload together use VALUE * 10 millicores from now on",
    "jump": "the wall clock jumps forward by VALUE seconds",
    "leap": "the wall clock jumps forward by VALUE * 100 seconds",
    "back": "the wall clock jumps back by VALUE * 100 seconds",
}

#: What is done to the repository, and what ``Step.value`` means there.
EDITS = {
    "create": "a workload is there, with VALUE replicas (completions of a Job)",
    "scale": "VALUE replicas",
    "image": "another image",
    "env": "another variable in the template",
    "config": "other contents of the ConfigMap and the Secret that the workload reads",
    "strategy": "the VALUEth way to update (or, of a CronJob, to run at once)",
    "suspend": "a Job or CronJob is suspended (odd) or resumed (even)",
    "guard": "a PodDisruptionBudget: none, minAvailable 1, maxUnavailable 1, minAvailable 50%",
    "autoscale": "a HorizontalPodAutoscaler has the say over a Deployment's replicas (odd), or the repository (even)",
    "delete": "the workload leaves the repository",
    "rename": "the workload is called NAME-VALUE",
}
#: Sorts of workloads, as their names begin; the frequent ones more than once. ``recreate`` is a Deployment that does,
#: ``parallel`` and ``ondelete`` are StatefulSets.
WORKLOADS = (
    "deployment", "deployment", "deployment", "recreate", "statefulset", "parallel", "ondelete", "daemonset",
    "job", "cronjob",
)  # fmt: skip


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
    names = [f"{WORKLOADS[below(len(WORKLOADS))]}-{n}" for n in range(1 + below(2))]
    steps = [step for name in names for step in _made(name, below)]
    edits = list(EDITS)
    for _ in range(1 + below(4)):
        what = edits[1 + below(len(edits) - 1)] if below(6) else "create"
        at = round(entropy.uniform(0, 40), 2)
        steps.append(Step(at, what, names[below(len(names))], below(5)))
    chosen = sorted(faults)
    for _ in range(1 + below(3) if chosen else 0):
        what = chosen[below(len(chosen))]
        at = round(entropy.uniform(0, 45), 2)
        steps.append(Step(at, what, names[below(len(names))], below(40)))
    return Story(seed, tuple(sorted(steps, key=lambda s: s.at)), hours)


def _made(name: str, below: Callable[[int], int]) -> list[Step]:
    """Return how a workload comes into the repository, sometimes with more than its defaults."""
    steps = [Step(0.0, "create", name, 1 + below(3))]
    if not below(2):
        steps.append(Step(0.0, "strategy", name, below(4)))
    if not below(4):
        steps.append(Step(0.0, "guard", name, 1 + below(3)))
    if not below(6):
        steps.append(Step(0.0, "autoscale", name, 1))
    return steps
