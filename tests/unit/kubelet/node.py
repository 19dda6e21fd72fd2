"""A node of real processes for tests: registry, kubelet and process runtime in this process, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.api import kinds
from reconciler.clock import SeededEntropy, SystemClock
from reconciler.control import EventWriter, InformerCache, Recorder
from reconciler.errors import NotFound, RuntimeFailure
from reconciler.kubelet import KINDS, ClusterDNS, Kubelet
from reconciler.registry import Registry
from reconciler.registry.tokens import ServiceAccountTokens
from reconciler.registry.tokens.signing import new_key
from reconciler.runtime.cri import DNSConfig
from reconciler.runtime.process import ProcessRuntime
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from reconciler.api.objects import Object

#: How long a real process may take to do what is waited for, in seconds: far longer than it ever does.
PATIENCE = 30.0


class Node:
    """One node. Pods are bound to it by their name; ``restart`` is a kubelet that ends and another that begins."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.clock = SystemClock()
        self.registry = Registry(MemoryStore(), clock=self.clock, entropy=SeededEntropy(1))
        self.runtime = ProcessRuntime(state_dir, clock=self.clock)
        self.tokens = ServiceAccountTokens(
            self.registry, clock=self.clock, entropy=SeededEntropy(3), key=new_key
        )
        self.cache: InformerCache
        self.kubelet: Kubelet
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def begin(self) -> None:
        try:
            await self.runtime.open()
        except RuntimeFailure as failure:
            pytest.skip(f"no process runtime here: {failure}")
        await self.registry.start()
        for name in ("default", "kube-system"):
            await self.create("v1", "Namespace", name, namespace="")
        await self._start()

    async def _start(self) -> None:
        self.cache = InformerCache(self.registry, [*KINDS, kinds.EVENT], clock=self.clock)
        events = EventWriter(self.registry, self.clock)
        self.kubelet = Kubelet(
            self.registry, self.cache, self.runtime, clock=self.clock, entropy=SeededEntropy(2),
            recorder=Recorder(events, "kubelet"), state_dir=self.state_dir, node_name="node",
            dns=ClusterDNS("10.96.0.10", "cluster.local", DNSConfig(("192.0.2.53",), ("corp.example",))),
            cpu=2000, memory=1 << 30, tokens=self.tokens,
        )  # fmt: skip
        for kind in (kinds.POD, kinds.EVENT):
            self.cache.subscribe(kind, lambda _, __: self._changed.set())
        runs = (self.cache.run, self.kubelet.run, events.run)
        self._tasks = [asyncio.create_task(run()) for run in runs]

    async def _stop(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def restart(self) -> None:
        """End the kubelet and start another over the same state."""
        await self._stop()
        await self._start()

    async def end(self) -> None:
        await self._stop()
        for box in await self.runtime.pods():
            await self.runtime.remove_pod_sandbox(box.id)
        await self.runtime.shutdown()
        await self.registry.close()

    # -- objects -------------------------------------------------------------------------------------------------

    async def create(
        self, version: str, kind: str, name: str, *, namespace: str = "default", **fields: Any
    ) -> Object:
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        obj = {"apiVersion": version, "kind": kind, "metadata": meta, **fields}
        return await self.registry.create(obj)

    async def run(self, script: str, *, meta: dict[str, Any] | None = None, **spec: Any) -> Object:
        """Create the Pod ``p`` whose one container runs a shell script; ``container`` adds to it."""
        main = {"name": "main", "image": "app", "command": ["sh", "-c", script]}
        main |= spec.pop("container", {})
        pod = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default", **(meta or {})},
            "spec": {"nodeName": "node", "restartPolicy": "Never", "containers": [main],
                     "terminationGracePeriodSeconds": 5, **spec},
        }  # fmt: skip
        return await self.registry.create(pod)

    async def pod(self, name: str = "p") -> Object:
        return await self.registry.get(kinds.POD, name, "default")

    async def until(self, true: Callable[[Object], Any], name: str = "p") -> Object:
        """Return the Pod once something is true of it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._changed.clear()
                pod = await self.pod(name)
                if true(pod):
                    return pod
                await self._changed.wait()

    async def finished(self) -> Object:
        return await self.until(lambda p: p["status"].get("phase") in ("Succeeded", "Failed"))

    async def gone(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                self._changed.clear()
                try:
                    await self.pod()
                except NotFound:
                    return
                await self._changed.wait()

    async def event(self, reason: str) -> Object:
        """Return the first Event of a reason."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self._changed.clear()
                for event in (await self.registry.list(kinds.EVENT)).items:
                    if event["reason"] == reason:
                        return event
                await self._changed.wait()

    def output(self, pod: Object, container: str = "main", attempt: int = 0) -> list[str]:
        """Return the lines that a container wrote."""
        path = self.state_dir / "pods" / pod["metadata"]["uid"] / "logs" / container
        text = (path / f"{attempt}.log").read_text()
        return [line.split(" ", 3)[3] for line in text.splitlines()]


def state(pod: Object, container: str = "main") -> dict[str, Any]:
    """Return the state of a container of any list; empty before it has a status."""
    status = pod.get("status") or {}
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(field) or ():
            if one["name"] == container:
                found: dict[str, Any] = one["state"]
                return found
    return {}


def waits(reason: str, container: str = "main") -> Callable[[Object], bool]:
    return lambda pod: bool(state(pod, container).get("waiting", {}).get("reason") == reason)


def runs(container: str = "main") -> Callable[[Object], bool]:
    return lambda pod: "running" in state(pod, container)


@contextlib.asynccontextmanager
async def a_node(state_dir: Path) -> AsyncIterator[Node]:
    node = Node(state_dir)
    await node.begin()
    try:
        yield node
    finally:
        await node.end()
