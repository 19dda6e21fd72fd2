"""A Pod's probes: they run exactly for the containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import is_deleting
from reconciler.kubelet import pod as pod_plan
from reconciler.kubelet import probes
from reconciler.kubelet.scope import all_containers
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

    def states(self, pod: Object) -> dict[str, pod_plan.ProbeState]:
        """Return what is known of each running container, by its id."""
        return {**told(pod), **{i: p.state for i, (p, _) in self._probes.items()}}

    def end(self) -> None:
        for _, task in self._probes.values():
            task.cancel()

    def keep(self, pod: Object, observed: pod_plan.Observed) -> None:
        """Let probes run exactly for the containers that run."""
        running = {c.id: c for c in observed.containers if c.state is ContainerState.RUNNING}
        over = is_deleting(pod)
        for container_id in [i for i in self._probes if i not in running or over]:
            self._probes[container_id][1].cancel()
            if container_id not in running:
                del self._probes[container_id]
        if over:
            return
        box = pod_plan.ready_sandbox(observed)
        for spec in all_containers(pod):
            status = pod_plan.newest(observed.containers, spec["name"])
            if status is None or status.id not in running or status.id in self._probes:
                continue
            if box is not None and probes.ContainerProbes.needed(spec):
                self._start(pod, spec, status, box)

    def _start(
        self, pod: Object, spec: dict[str, Any], status: ContainerStatus, box: SandboxStatus
    ) -> None:
        scope = self._scope
        node = scope.node

        def failed(kind: str, message: str) -> None:
            scope.event(
                pod, "Warning", "Unhealthy", f"{kind} probe failed: {message}", spec["name"]
            )

        container = probes.ContainerProbes(
            spec, scope.target(pod, spec, status.id, box.ip), node.prober,
            clock=node.clock, entropy=node.entropy, changed=scope.wake, failed=failed,
            probed=lambda kind, ok: node.measures.probed(kind, ok=ok),
            known=told(pod).get(status.id),
        )  # fmt: skip
        self._probes[status.id] = (container, scope.spawn(container.run()))


def told(pod: Object) -> dict[str, pod_plan.ProbeState]:
    """Return what the Pod's status tells of the probes of its running containers, by container id.

    It outlives the kubelet: one that starts anew must not take a Pod for unready until it has probed it.
    """
    status = pod.get("status") or {}
    return {
        str(one["containerID"]).partition("://")[2]: pod_plan.ProbeState(
            bool(one.get("started")), bool(one.get("ready"))
        )
        for field in ("containerStatuses", "initContainerStatuses")
        for one in status.get(field) or ()
        if one.get("containerID") and "running" in (one.get("state") or {})
    }
