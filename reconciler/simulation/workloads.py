"""The model of what the simulated repository asks for, and how edits change it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reconciler.simulation.story import Step

_KINDS = {
    "deployment": "Deployment",
    "recreate": "Deployment",
    "statefulset": "StatefulSet",
    "parallel": "StatefulSet",
    "ondelete": "StatefulSet",
    "daemonset": "DaemonSet",
    "job": "Job",
    "cronjob": "CronJob",
}
#: Of what a name begins with, how many ways there are to update; of a CronJob, how many to run at once.
STRATEGIES = {"deployment": 3, "statefulset": 2, "parallel": 2, "daemonset": 3, "cronjob": 3}


class Workload(NamedTuple):
    """One workload of the repository; ``name`` begins with its sort: its kind, or what is special about it.

    ``image``, ``env`` and ``config`` are versions. ``guard`` is which PodDisruptionBudget it has (0: none).
    """

    name: str
    replicas: int = 1
    image: int = 1
    env: int = 0
    config: int = 1
    strategy: int = 0
    suspended: bool = False
    guard: int = 0
    autoscaled: bool = False

    @property
    def sort(self) -> str:
        return self.name.partition("-")[0]

    @property
    def kind(self) -> str:
        return _KINDS[self.sort]

    @property
    def rolls(self) -> bool:
        """Whether each of its Pods comes to be as the repository says, without anybody's help."""
        if self.kind == "StatefulSet":
            return self.sort != "ondelete" and self.strategy == 0
        return self.kind == "Deployment" or (self.kind == "DaemonSet" and self.strategy != 1)


def edited(workloads: dict[str, Workload], step: Step) -> dict[str, Workload]:
    """Return the repository after an edit; what an edit does not find, or cannot change, is left alone."""
    found = workloads.get(step.target)
    rest = {n: w for n, w in workloads.items() if n != step.target}
    if step.what == "create":
        return {**workloads, step.target: found or Workload(step.target, max(step.value, 1))}
    if found is None or _is_immutable(found, step.what):
        return workloads
    if step.what == "delete":
        return rest
    if step.what == "rename":
        renamed = f"{found.name}-{step.value}"
        return {**rest, renamed: found._replace(name=renamed)}
    return {**rest, step.target: _changed(found, step)}


def _is_immutable(workload: Workload, what: str) -> bool:
    if workload.kind == "Job":
        return what in ("image", "env", "scale")  # the template and the completions of a Job stay
    # The prune of a StatefulSet waits for a user's confirmation, and nobody is there to give it.
    return workload.kind == "StatefulSet" and what in ("delete", "rename")


def _changed(found: Workload, step: Step) -> Workload:
    match step.what:
        case "scale":
            return found._replace(replicas=step.value)
        case "image":
            return found._replace(image=found.image + 1)
        case "env":
            return found._replace(env=found.env + 1)
        case "config":
            return found._replace(config=found.config + 1)
        case "strategy":
            return found._replace(strategy=step.value % STRATEGIES.get(found.sort, 1))
        case "suspend" if found.kind in ("Job", "CronJob"):
            return found._replace(suspended=bool(step.value % 2))
        case "guard" if found.kind in ("Deployment", "StatefulSet"):
            return found._replace(guard=step.value % 4)
        case "autoscale" if found.kind == "Deployment":
            return found._replace(autoscaled=bool(step.value % 2))
    return found
