"""The ``memory`` runtime: no process runs. Deterministic, scriptable, and at home under virtual time.

A ``Script`` says what a container does (how long it starts, when it exits and how); without one every container
starts at once and runs until it is stopped. Restarting the "daemon" over the same instance finds everything again.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import RuntimeFailure
from reconciler.runtime.cri import (
    ContainerConfig,
    ContainerState,
    ContainerStats,
    ContainerStatus,
    ExecResult,
    RuntimeEvent,
    SandboxConfig,
    SandboxState,
    SandboxStatus,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from reconciler.api.node import ExecStream
    from reconciler.clock import Clock


class Behaviour(NamedTuple):
    """What one container does. Times are seconds from its start; ``exits_after`` None = runs until stopped."""

    exits_after: float | None = None
    exit_code: int = 0
    start_error: str = ""
    writes: Mapping[str, str] = {}  # path inside a mount: what the file there holds when it ends
    ignores_term: bool = False
    exec_exit_code: int = 0


def runs_for_ever(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:  # noqa: ARG001
    """Return the behaviour of a well-behaved server."""
    return Behaviour()


@dataclass
class _Sandbox:
    config: SandboxConfig
    status: SandboxStatus
    containers: dict[str, _Container] = field(default_factory=dict)


@dataclass
class _Container:
    config: ContainerConfig
    status: ContainerStatus
    behaviour: Behaviour
    timer: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryNetwork:
    """Addresses without a network: nothing can listen here."""

    def __init__(self, pod_cidr: str, service_cidr: str) -> None:
        self._pod_cidr = pod_cidr
        self._service_cidr = service_cidr

    @property
    def service_cidr(self) -> str:
        return self._service_cidr

    @property
    def pod_cidr(self) -> str:
        return self._pod_cidr

    @property
    def privileged_ports(self) -> bool:
        return True

    async def listen(self, address: str, port: int) -> socket.socket:
        raise RuntimeFailure(f"nothing listens on {address}:{port} in the memory runtime")

    async def datagram(self, address: str, port: int) -> socket.socket:
        raise RuntimeFailure(f"nothing listens on {address}:{port} in the memory runtime")

    async def sockets(self, count: int, *, datagram: bool = False) -> list[socket.socket]:
        kind = "datagram" if datagram else "stream"
        raise RuntimeFailure(f"the memory runtime has no sockets ({count} {kind} wanted)")


class MemoryRuntime:
    """Implements ``cri.Runtime`` over dictionaries."""

    def __init__(
        self,
        *,
        clock: Clock,
        script: Callable[[SandboxConfig, ContainerConfig], Behaviour] = runs_for_ever,
        missing_images: Collection[str] = (),
        pod_cidr: str = "10.244.0.0/16",
        service_cidr: str = "10.96.0.0/12",
    ) -> None:
        self._clock = clock
        self._script = script
        self._missing_images = missing_images
        self._network = MemoryNetwork(pod_cidr, service_cidr)
        self._cidr = ipaddress.ip_network(pod_cidr)
        self._next_address = 1
        self._free_addresses: list[str] = []
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._by_pod: dict[str, dict[str, _Sandbox]] = {}
        self._listeners: list[asyncio.Queue[RuntimeEvent]] = []

    @property
    def name(self) -> str:
        return "memory"

    @property
    def network(self) -> MemoryNetwork:
        return self._network

    @property
    def honoured_fields(self) -> frozenset[str]:
        return frozenset({"spec"})

    @property
    def default_user(self) -> int:
        return 65532  # nothing runs: no image is taken to run as root

    @property
    def problems(self) -> tuple[str, ...]:
        return ()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def shutdown(self) -> None:
        pass

    async def ensure_image(self, image: str, pull_policy: str, *, needs_command: bool) -> str:  # noqa: ARG002
        if image in self._missing_images:
            if pull_policy == "Never":
                told = f'Container image "{image}" is not present with pull policy of Never'
                raise RuntimeFailure(told, reason="ErrImageNeverPull")
            raise RuntimeFailure(f'Failed to pull image "{image}"', reason="ErrImagePull")
        return f"memory://{image}"

    async def run_pod_sandbox(self, config: SandboxConfig) -> SandboxStatus:
        sandbox_id = f"{config.uid}-{config.attempt}"
        present = self._sandboxes.get(sandbox_id)
        if present is not None:
            return present.status
        status = SandboxStatus(
            sandbox_id, config.namespace, config.name, config.uid, config.attempt,
            SandboxState.READY, self._clock.now(), self._address(),
        )  # fmt: skip
        sandbox = _Sandbox(config, status)
        self._sandboxes[sandbox_id] = sandbox
        self._by_pod.setdefault(config.uid, {})[sandbox_id] = sandbox
        return status

    def _address(self) -> str:
        if self._free_addresses and self._next_address >= self._cidr.num_addresses - 2:
            return self._free_addresses.pop(0)
        self._next_address += 1
        if self._next_address >= self._cidr.num_addresses - 1:
            raise RuntimeFailure(f"no address is free in {self._cidr}", reason="NoFreeAddress")
        return str(self._cidr[self._next_address])

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.status.state is SandboxState.NOT_READY:
            return
        for container in sandbox.containers.values():
            self._exit(container, 137, signal=9)
        self._free_addresses.append(sandbox.status.ip)
        sandbox.status = sandbox.status._replace(state=SandboxState.NOT_READY, ip="")

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        await self.stop_pod_sandbox(sandbox_id)
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            for container_id in sandbox.containers:
                self._containers.pop(container_id, None)
            mine = self._by_pod[sandbox.config.uid]
            mine.pop(sandbox_id, None)
            if not mine:
                del self._by_pod[sandbox.config.uid]

    async def pods(self, pod_uid: str | None = None) -> list[SandboxStatus]:
        if pod_uid is not None:
            return [s.status for s in self._by_pod.get(pod_uid, {}).values()]
        return [s.status for s in self._sandboxes.values()]

    async def memory_directory(self, sandbox_id: str, path: str, size_bytes: int) -> int | None:  # noqa: ARG002
        return None  # nothing that runs could look

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.status.state is not SandboxState.READY:
            raise RuntimeFailure(f"sandbox {sandbox_id} is not ready")
        container_id = f"{sandbox_id}-{config.name}-{config.attempt}"
        if container_id not in self._containers:
            status = ContainerStatus(
                container_id, sandbox_id, sandbox.config.uid, config.name, config.attempt,
                ContainerState.CREATED, self._clock.now(), image=config.image,
                image_ref=f"memory://{config.image}",
            )  # fmt: skip
            container = _Container(config, status, self._script(sandbox.config, config))
            self._containers[container_id] = sandbox.containers[container_id] = container
        return container_id

    async def start_container(self, container_id: str) -> None:
        container = self._containers[container_id]
        if container.status.state is not ContainerState.CREATED:
            return
        now = self._clock.now()
        if container.behaviour.start_error:
            container.status = container.status._replace(
                state=ContainerState.EXITED, started_at=now, finished_at=now, exit_code=128,
                reason="StartError", message=container.behaviour.start_error,
            )  # fmt: skip
            container.ended.set()
            raise RuntimeFailure(container.behaviour.start_error, reason="StartError")
        container.status = container.status._replace(state=ContainerState.RUNNING, started_at=now)
        if container.behaviour.exits_after is not None:
            container.timer = asyncio.get_running_loop().call_later(
                container.behaviour.exits_after,
                self._exit,
                container,
                container.behaviour.exit_code,
            )
        self._tell(container)

    def _exit(self, container: _Container, code: int, signal: int = 0) -> None:
        if container.status.state is not ContainerState.RUNNING:
            return
        if container.timer is not None:
            container.timer.cancel()
        _write(container)
        container.status = container.status._replace(
            state=ContainerState.EXITED, finished_at=self._clock.now(), exit_code=code,
            signal=signal, reason="Completed" if code == 0 else "Error",
        )  # fmt: skip
        container.ended.set()
        self._tell(container)

    def exit(self, pod_uid: str, name: str, code: int, signal: int = 0) -> None:
        """Let a running container end: what a test or a simulation does to it."""
        for sandbox in self._by_pod.get(pod_uid, {}).values():
            for container in list(sandbox.containers.values()):
                if container.config.name == name:
                    self._exit(container, code, signal)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.status.state is not ContainerState.RUNNING:
            return
        if not container.behaviour.ignores_term and grace_seconds > 0:
            self._exit(container, 143, signal=15)
            return
        try:
            async with asyncio.timeout(grace_seconds):
                await container.ended.wait()
        except TimeoutError:
            self._exit(container, 137, signal=9)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._exit(container, 137, signal=9)
            self._sandboxes[container.status.sandbox_id].containers.pop(container_id, None)

    async def containers(self, pod_uid: str | None = None) -> list[ContainerStatus]:
        if pod_uid is None:
            return [c.status for c in self._containers.values()]
        sandboxes = self._by_pod.get(pod_uid, {})
        return [c.status for s in sandboxes.values() for c in s.containers.values()]

    async def stats(self, pod_uid: str | None = None) -> list[ContainerStats]:  # noqa: ARG002
        return []  # what does not run uses nothing

    async def exec_sync(
        self,
        container_id: str,
        command: tuple[str, ...],  # noqa: ARG002
        timeout_seconds: float,  # noqa: ARG002
    ) -> ExecResult:
        container = self._containers.get(container_id)
        if container is None or container.status.state is not ContainerState.RUNNING:
            raise RuntimeFailure(f"container {container_id} is not running")
        return ExecResult(container.behaviour.exec_exit_code, b"", b"")

    async def exec(
        self,
        container_id: str,
        command: tuple[str, ...],  # noqa: ARG002
        *,
        stdin: bool,  # noqa: ARG002
        tty: bool,  # noqa: ARG002
    ) -> ExecStream:
        raise RuntimeFailure(
            f"nothing can be run in {container_id}: the memory runtime only pretends"
        )

    async def reopen_log(self, container_id: str) -> None:
        pass

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    def _tell(self, container: _Container) -> None:
        for queue in self._listeners:
            queue.put_nowait(RuntimeEvent(container.status.pod_uid))


def _write(container: _Container) -> None:
    """Let a container that ends leave the files that it is said to."""
    for path, text in container.behaviour.writes.items():
        for mount in container.config.mounts:
            if mount.container_path == path:
                Path(mount.host_path).write_text(text)
