"""A Pod's probes: they run exactly for the containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kubelet import probes
from reconciler.kubelet.observed import (
    CONTAINER_FIELDS,
    Observed,
    ProbeState,
    all_containers,
    newest,
    ready_sandbox,
)
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    import asyncio

    from reconciler.api.objects import Object
    from reconciler.kubelet.scope import PodScope
    from reconciler.runtime.cri import ContainerStatus, SandboxStatus


class PodProbes:
    """The probes of one Pod's containers, by container id."""

    __slots__ = ("_probes", "_scope")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._probes: dict[str, tuple[probes.ContainerProbes, asyncio.Task[None]]] = {}

    def states(self, pod: Object) -> dict[str, ProbeState]:
        """Return what is known of each running container, by its id."""
        return {**told(pod), **{i: p.state for i, (p, _) in self._probes.items()}}

    def end(self) -> None:
        for _, task in self._probes.values():
            task.cancel()

    def keep(self, pod: Object, observed: Observed, *, ending: bool) -> None:
        """Let probes run exactly for the containers that run; of a Pod that is ending only those of readiness (B13)."""
        running = {c.id: c for c in observed.containers if c.state is ContainerState.RUNNING}
        for container_id in [i for i in self._probes if i not in running]:
            self._probes.pop(container_id)[1].cancel()
        if ending:
            for container, _ in self._probes.values():
                container.end_restarts()
            return
        box = ready_sandbox(observed)
        for spec in all_containers(pod):
            status = newest(observed.containers, spec["name"])
            if status is None or status.id not in running or status.id in self._probes:
                continue
            # A container whose postStart hook has not ended does not count as running yet (P38).
            if status.id in observed.hooks or not probes.ContainerProbes.needed(spec):
                continue
            if box is not None:
                self._start(pod, spec, status, box)

    def _start(
        self, pod: Object, spec: dict[str, Any], status: ContainerStatus, box: SandboxStatus
    ) -> None:
        scope = self._scope
        node = scope.node

        def tell(kind: str, outcome: probes.Outcome) -> None:
            reason, word = ("ProbeWarning", "warning") if outcome.ok else ("Unhealthy", "failed")
            told = f"{kind} probe {word}: {outcome.message}"
            scope.event(pod, "Warning", reason, told, spec["name"])

        container = probes.ContainerProbes(
            spec, scope.target(pod, spec, status.id, box.ip), node.prober,
            started_at=status.started_at, clock=node.clock, entropy=node.entropy,
            changed=scope.wake, told=tell,
            probed=lambda kind, ok: node.measures.probed(kind, ok=ok),
            known=told(pod).get(status.id),
        )  # fmt: skip
        self._probes[status.id] = (container, scope.spawn(container.run()))


def told(pod: Object) -> dict[str, ProbeState]:
    """Return what the Pod's status tells of the probes of its running containers, by container id.

    It outlives the kubelet: one that starts anew must not take a Pod for unready until it has probed it.
    """
    status = pod.get("status") or {}
    return {
        str(one["containerID"]).partition("://")[2]: ProbeState(
            bool(one.get("started")), bool(one.get("ready"))
        )
        for _, field in CONTAINER_FIELDS
        for one in status.get(field) or ()
        if one.get("containerID") and "running" in (one.get("state") or {})
    }
