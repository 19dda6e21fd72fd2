"""The kubelet: every Pod bound to this node gets a worker; what runs without a Pod is ended; logs and exec for the API."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api import kinds
from reconciler.api.objects import Object, is_deleting, name_of, namespace_of, uid_of
from reconciler.errors import (
    ApiError,
    BadRequest,
    Conflict,
    NotFound,
    ReconcilerError,
    RuntimeFailure,
    Unavailable,
)
from reconciler.kubelet import logs, losses, probes
from reconciler.kubelet.evicting import evict_for_ever
from reconciler.kubelet.measures import KubeletMeasures
from reconciler.kubelet.names import ClusterDNS
from reconciler.kubelet.node import node_object
from reconciler.kubelet.observed import all_containers, newest, told_status
from reconciler.kubelet.references import references
from reconciler.kubelet.rounds import go_round
from reconciler.kubelet.scope import Drain, Node
from reconciler.kubelet.stopping import end_at_once
from reconciler.kubelet.volumes import LOCAL_PATH, Volumes
from reconciler.kubelet.worker import PodWorker
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from reconciler.api.client import Client
    from reconciler.api.node import ExecStream, LogOptions
    from reconciler.api.tokens import TokenSource
    from reconciler.clock import Clock, Entropy
    from reconciler.control import InformerCache, Recorder
    from reconciler.runtime.cri import ContainerStatus, Runtime
    from reconciler.telemetry.measures import Family

log = structlog.get_logger(__name__)

#: Kinds that the kubelet reads; the cache must follow them.
KINDS = (
    kinds.POD,
    kinds.CONFIG_MAP,
    kinds.SECRET,
    kinds.SERVICE,
    kinds.ENDPOINT_SLICE,
    kinds.PERSISTENT_VOLUME,
    kinds.PERSISTENT_VOLUME_CLAIM,
    kinds.NODE,
)

#: How soon the node is registered again where the store refuses it, in seconds.
REGISTER_SECONDS = 1.0


class Kubelet:
    """The agent of one node. Implements ``api.node.NodeAgent``."""

    def __init__(
        self,
        client: Client,
        cache: InformerCache,
        runtime: Runtime,
        *,
        clock: Clock,
        entropy: Entropy,
        recorder: Recorder,
        state_dir: Path,
        node_name: str,
        host_ip: str = "127.0.0.1",
        dns: ClusterDNS = ClusterDNS(),  # noqa: B008 - immutable
        cpu: int = 1000,
        memory: int = 1 << 30,
        prober: probes.Prober | None = None,
        drain: Drain | None = None,
        tokens: TokenSource | None = None,
        host_dns: Callable[[], str] = str,
    ) -> None:
        self._node = Node(
            client, cache, runtime, Volumes(state_dir, cache.snapshot),
            prober or probes.NetworkProber(runtime), recorder, clock, entropy, dns,
            node_name, host_ip, KubeletMeasures(), cpu, memory, drain, tokens, host_dns,
        )  # fmt: skip
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._references: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._group: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()
        self.losses = 0
        cache.subscribe(kinds.POD, self._pod_changed)
        for kind in (kinds.CONFIG_MAP, kinds.SECRET, kinds.PERSISTENT_VOLUME_CLAIM):
            cache.subscribe(kind, self._referenced_changed)
        cache.subscribe(kinds.PERSISTENT_VOLUME, self._volume_changed)
        cache.subscribe(kinds.ENDPOINT_SLICE, self._endpoints_changed)

    def measures(self) -> list[Family]:
        """Return what runs here, in figures. Implements ``telemetry.measures.Measured``."""
        return self._node.measures.families(w.containers() for w, _ in self._workers.values())

    # -- the node ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register the node and keep its Pods until cancelled. The runtime must be open.

        Once ``ready`` is set no Pod's status says more than what runs; ``losses`` is how many said more before.
        """
        await self._register()
        await self._node.cache.synced()
        await self._end_orphans()
        await self._admit_losses()
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._follow_runtime(), name="kubelet-events")
            group.create_task(go_round(self._node, self._present), name="kubelet-rounds")
            group.create_task(evict_for_ever(self._node), name="kubelet-evictions")
            for pod in self._node.cache.snapshot.list(kinds.POD):
                self._pod_changed(None, pod)
            for volume in self._node.cache.snapshot.list(kinds.PERSISTENT_VOLUME):
                self._volume_changed(None, volume)

    async def _register(self) -> None:
        """Say which node this is; a full disk is waited for: what runs goes on meanwhile."""
        while True:
            try:
                return await self._say_node()
            except Unavailable as error:
                log.warning("the node cannot be registered", error=str(error))
                await self._node.clock.sleep(REGISTER_SECONDS)

    async def _say_node(self) -> None:
        node = self._node
        wanted = node_object(
            node.name, node.host_ip, node.runtime.name, node.runtime.network.pod_cidr,
            cpu=node.cpu, memory=node.memory, now=node.clock.now(),
        )  # fmt: skip
        try:
            current = await node.client.get(kinds.NODE, node.name)
        except NotFound:
            await node.client.create(wanted, field_manager="kubelet")
            return
        await node.client.update(
            {**current, "status": wanted["status"]}, subresource="status", field_manager="kubelet"
        )

    async def _end_orphans(self) -> None:
        """End what runs here for Pods that are gone (R30)."""
        known = {uid_of(p) for p in self._node.cache.snapshot.list(kinds.POD)}
        runtime = self._node.runtime
        for box in await runtime.pods():
            if box.uid in known:
                continue
            log.info("ending a pod whose object is gone", pod=f"{box.namespace}/{box.name}")
            await end_at_once(runtime, box.uid)
            await runtime.remove_pod_sandbox(box.id)
            self._node.volumes.tear_down(box.uid)

    async def _admit_losses(self) -> None:
        """Take back that Pods are ready which no longer run: nobody must count on them until they do again."""
        running: dict[str, set[str]] = defaultdict(set)
        for container in await self._node.runtime.containers():
            if container.state is ContainerState.RUNNING:
                running[container.pod_uid].add(container.name)
        revision = 0
        for pod in list(self._node.cache.snapshot.list(kinds.POD)):
            if (pod.get("spec") or {}).get("nodeName") != self._node.name:
                continue
            status = losses.without_promises(pod, running[uid_of(pod)], self._node.clock.now())
            if status is None:
                continue
            self.losses += 1
            try:
                written = await self._node.client.update(
                    {**pod, "status": status}, subresource="status", field_manager="kubelet"
                )
            except (NotFound, Conflict, Unavailable):
                continue
            revision = int(written["metadata"]["resourceVersion"])
        if self.losses:
            log.info("pods of before do not run any more and are started again", pods=self.losses)
            await self._node.cache.reached(kinds.POD, revision)

    async def _follow_runtime(self) -> None:
        async for event in self._node.runtime.events():
            worker = self._workers.get(event.pod_uid)
            if worker is not None:
                worker[0].wake()

    def _present(self) -> list[PodWorker]:
        return [worker for worker, _ in self._workers.values()]

    # -- what changes --------------------------------------------------------------------------------------------

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        if pod is None or (pod.get("spec") or {}).get("nodeName") != self._node.name:
            return
        present = self._workers.get(uid_of(pod))
        if present is not None:
            present[0].wake()
        elif new is not None and self._group is not None:
            self._add(new)

    def _add(self, pod: Object) -> None:
        assert self._group is not None  # noqa: S101 - only called while running
        worker = PodWorker(self._node, pod)
        uid = worker.uid
        for reference in references(pod):
            self._references[reference].add(uid)
        task = self._group.create_task(worker.run(), name=f"pod-{name_of(pod)}")
        self._workers[uid] = (worker, task)
        task.add_done_callback(lambda _: self._gone(pod))

    def _gone(self, pod: Object) -> None:
        self._workers.pop(uid_of(pod), None)
        for reference in references(pod):
            users = self._references.get(reference)
            if users is not None:
                users.discard(uid_of(pod))
                if not users:
                    del self._references[reference]

    def _referenced_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        if obj is None:
            return
        for uid in self._references.get((obj["kind"], namespace_of(obj), name_of(obj)), ()):
            worker = self._workers.get(uid)
            if worker is not None:
                worker[0].refresh_volumes()

    def _endpoints_changed(self, old: Object | None, new: Object | None) -> None:
        """Wake terminating Pods that wait for load balancers to let go of them."""
        for piece in (old, new):
            for endpoint in (piece or {}).get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("terminating"):
                    worker = self._workers.get((endpoint.get("targetRef") or {}).get("uid", ""))
                    if worker is not None:
                        worker[0].wake()

    def _volume_changed(self, old: Object | None, new: Object | None) -> None:  # noqa: ARG002
        if new is None or self._group is None:
            return
        if is_deleting(new) and LOCAL_PATH in (new["metadata"].get("finalizers") or ()):
            self._group.create_task(self._delete_volume(new))

    async def _delete_volume(self, volume: Object) -> None:
        """Remove the data of a provisioned volume that is being deleted, then let the object go (V18)."""
        try:
            self._node.volumes.delete_volume(volume)
            current = await self._node.client.get(kinds.PERSISTENT_VOLUME, name_of(volume))
            rest = [f for f in current["metadata"].get("finalizers") or () if f != LOCAL_PATH]
            await self._node.client.patch(
                kinds.PERSISTENT_VOLUME,
                name_of(volume),
                "",
                {"metadata": {"finalizers": rest or None}},
            )
        except NotFound:
            return
        except ReconcilerError as error:
            log.warning("volume cannot be deleted", volume=name_of(volume), error=str(error))

    # -- for the API server --------------------------------------------------------------------------------------

    def _pod(self, namespace: str, name: str) -> Object:
        pod = self._node.cache.snapshot.get(kinds.POD, namespace, name)
        if pod is None:
            raise NotFound(f'pods "{name}" not found', kind="pods", name=name)
        return pod

    @staticmethod
    def _container_spec(pod: Object, container: str) -> dict[str, Any]:
        spec = pod["spec"]
        everyone = all_containers(pod)
        if not container:
            annotations = pod["metadata"].get("annotations") or {}
            container = annotations.get("kubectl.kubernetes.io/default-container") or ""
        if not container:
            container = spec["containers"][0]["name"]
        for candidate in everyone:
            if candidate["name"] == container:
                return candidate
        names = ", ".join(c["name"] for c in everyone)
        raise BadRequest(
            f"container {container} is not valid for pod {name_of(pod)}: it has {names}"
        )

    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        obj = self._pod(namespace, pod)
        spec = self._container_spec(obj, container)
        status = newest(tuple(await self._node.runtime.containers(uid_of(obj))), spec["name"])
        if status is None:
            raise BadRequest(
                f'container "{spec["name"]}" in pod "{pod}" is waiting to start: '
                f"{_waiting_reason(obj, spec['name'])}"
            )
        attempt = status.attempt
        if options.previous:
            if attempt == 0:
                raise BadRequest(
                    f'previous terminated container "{spec["name"]}" in pod "{pod}" not found'
                )
            attempt -= 1
        path = self._log_path(status, attempt)
        container_id = status.id

        def runs() -> bool:
            worker = self._workers.get(uid_of(obj))
            seen = worker[0].containers() if worker else ()
            return not options.previous and any(
                c.id == container_id and c.state is ContainerState.RUNNING for c in seen
            )

        async for text in logs.read(path, options, self._node.clock, runs):
            yield text

    def _log_path(self, status: ContainerStatus, attempt: int | None = None) -> Path:
        base = self._node.volumes.pod_directory(status.pod_uid) / "logs" / status.name
        return base / f"{status.attempt if attempt is None else attempt}.log"

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: list[str],
        *,
        stdin: bool = False,
        tty: bool = False,
    ) -> ExecStream:
        obj = self._pod(namespace, pod)
        spec = self._container_spec(obj, container)
        status = newest(tuple(await self._node.runtime.containers(uid_of(obj))), spec["name"])
        if status is None or status.state is not ContainerState.RUNNING:
            raise BadRequest(f'container "{spec["name"]}" in pod "{pod}" is not running')
        if not command:
            raise BadRequest("you must specify at least one command for the container")
        try:
            return await self._node.runtime.exec(status.id, tuple(command), stdin=stdin, tty=tty)
        except RuntimeFailure as error:
            raise ApiError(f"cannot run {command[0]!r}: {error}") from error


def _waiting_reason(pod: Object, container: str) -> str:
    state = told_status(pod, container).get("state") or {}
    return str((state.get("waiting") or {}).get("reason", "ContainerCreating"))
