"""Evictions never leave fewer ready Pods than a PodDisruptionBudget asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reconciler.api import pods
from reconciler.api.objects import labels_of, name_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.simulation.invariants.live import Live


class Budgets:
    """Checks every budget whose workload nobody has touched but by evictions since it was whole."""

    def __init__(self, live: Live, broken: list[str]) -> None:
        self._live, self._broken = live, broken
        self._calm: dict[str, tuple[int, int]] = {}  # uid → generations of budget and workload then

    def disturb(self) -> None:
        """A fault takes Pods away without asking."""
        self._calm.clear()

    def guards(self, name: str) -> bool:
        """Whether a workload of this name has a budget."""
        return any(name_of(b) == name for b in self._live.of("policy", "PodDisruptionBudget"))

    def check(self, kind: str) -> None:
        """Check all, after a write of an object of this kind."""
        if kind not in ("Pod", "PodDisruptionBudget", "Deployment", "StatefulSet"):
            return
        for budget in self._live.of("policy", "PodDisruptionBudget"):
            for owner in ("Deployment", "StatefulSet"):
                for workload in self._live.of("apps", owner):
                    if name_of(workload) == name_of(budget):
                        self._check(budget, workload)

    def _check(self, budget: Object, workload: Object) -> None:
        uid = budget["metadata"]["uid"]
        generations = (budget["metadata"]["generation"], workload["metadata"]["generation"])
        replicas = int(workload["spec"].get("replicas", 1))
        selected = budget["spec"]["selector"]["matchLabels"].items()
        healthy = sum(
            pods.is_active(p) and pods.is_ready(p)
            for p in self._live.of("", "Pod")
            if selected <= labels_of(p).items()
        )
        status = budget.get("status") or {}
        if (
            healthy == replicas == status.get("currentHealthy")
            and status.get("observedGeneration") == generations[0]
            and (workload.get("status") or {}).get("observedGeneration") == generations[1]
            and not status.get("disruptedPods")
            and not self._live.disturbances
            and _is_rolled_out(workload)
        ):
            self._calm[uid] = generations
        if self._calm.get(uid) != generations:
            self._calm.pop(uid, None)
        elif healthy < needed(budget, replicas):
            self._broken.append(
                f"evictions left {healthy} ready Pods of {name_of(budget)}; its budget needs {needed(budget, replicas)}"
            )


def _is_rolled_out(workload: Object) -> bool:
    status = workload.get("status") or {}
    if workload["kind"] == "StatefulSet":
        return bool(status.get("currentRevision") == status.get("updateRevision"))
    return bool(status.get("updatedReplicas", 0) == status.get("replicas", 0))


def needed(budget: Object, replicas: int) -> int:
    """Return how many of so many Pods must be ready."""
    spec = budget["spec"]
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is not None:
        return replicas - int(most)
    if isinstance(least, str):
        return math.ceil(int(least.rstrip("%")) * replicas / 100)
    return min(int(least or 0), replicas)
