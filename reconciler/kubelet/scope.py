"""What the parts of one Pod's worker share: the node's means, the Pod as it was seen last, a way to say something."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from reconciler.api.decision import Notice
from reconciler.api.objects import Object, uid_of
from reconciler.kubelet import fields, names, probes
from reconciler.kubelet.observed import CONTAINER_FIELDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from reconciler.api.client import Client
    from reconciler.api.tokens import TokenSource
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.kubelet.measures import KubeletMeasures
    from reconciler.kubelet.volumes import Volumes
    from reconciler.runtime.cri import Runtime


class Drain(Protocol):
    """Waits until nothing that proxies have sent to a Pod's address is under way, for some seconds at most."""

    def __call__(self, address: str, seconds: float, /) -> Awaitable[None]: ...


class Node(NamedTuple):
    """What every worker of a node shares.

    ``drain``: where proxies can say what is under way; ``tokens``: where ServiceAccounts get some; ``host_dns``: where Pods in
    the host's network reach the cluster's name server (empty: nowhere).
    """

    client: Client
    cache: InformerCache
    runtime: Runtime
    volumes: Volumes
    prober: probes.Prober
    recorder: Recorder
    clock: Clock
    entropy: Entropy
    dns: names.ClusterDNS
    name: str
    host_ip: str
    measures: KubeletMeasures
    cpu: int = 0
    memory: int = 0
    drain: Drain | None = None
    tokens: TokenSource | None = None
    host_dns: Callable[[], str] = str

    def cluster_dns(self) -> names.ClusterDNS:
        """Return where Pods ask for names now."""
        return self.dns._replace(on_host=self.host_dns())


class PodScope:
    """One Pod (one uid), for as long as its worker lives."""

    __slots__ = ("_timer", "_wake", "node", "pod", "tasks", "uid")

    def __init__(self, node: Node, pod: Object) -> None:
        self.node = node
        self.pod = pod
        self.uid = uid_of(pod)
        self.tasks: asyncio.TaskGroup | None = None
        self._wake = asyncio.Event()
        self._wake.set()
        self._timer: asyncio.TimerHandle | None = None

    # -- when to look again --------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

    def later(self, seconds: float) -> None:
        """Look again after so many seconds, instead of what was asked before."""
        self.forget_timer()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.01), self.wake)

    def forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def woken(self) -> None:
        """Wait until it is time to look again."""
        await self._wake.wait()

    def looking(self) -> None:
        """Take note that what is to be seen is being looked at now."""
        self._wake.clear()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the worker, until it ends or is cancelled."""
        assert self.tasks is not None  # noqa: S101 - actions are performed inside the worker's run()
        return self.tasks.create_task(work)

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def where(self) -> str:
        meta = self.pod["metadata"]
        return f"{meta['namespace']}/{meta['name']}"

    def values(self, ip: str = "") -> fields.PodValues:
        """Return what only the node knows of the Pod; ``ip`` where its status does not have it yet."""
        ip = ip or (self.pod.get("status") or {}).get("podIP", "")
        return fields.PodValues(ip, self.node.host_ip, self.node.cpu, self.node.memory)

    def target(
        self, pod: Object, spec: Mapping[str, Any], container_id: str, ip: str
    ) -> probes.Target:
        """Return whom a probe or a hook of this container asks."""
        ports = {p["name"]: p["containerPort"] for p in spec.get("ports") or () if p.get("name")}
        return probes.Target(container_id, ip, ports, bool(pod["spec"].get("hostNetwork")))

    def event(self, pod: Object, kind: str, reason: str, message: str, container: str = "") -> None:
        """Record an Event about the Pod, or about one of its containers."""
        regarding = pod
        if container:
            regarding = {**pod, "fieldPath": field_path(pod, container)}
        self.node.recorder.record(Notice(regarding, kind, reason, message))


def field_path(pod: Object, container: str) -> str:
    """Return where in the Pod a container stands, as Events say it: ``spec.initContainers{setup}``."""
    for field, _ in CONTAINER_FIELDS:
        if any(c["name"] == container for c in pod["spec"].get(field) or ()):
            return f"spec.{field}{{{container}}}"
    return f"spec.containers{{{container}}}"
