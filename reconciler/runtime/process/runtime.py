"""The daemon's side: the CRI's verbs as requests to the supervisor."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure
from reconciler.runtime import cri
from reconciler.runtime.process import compatibility
from reconciler.runtime.process import images as image_names
from reconciler.runtime.process.commands import Command
from reconciler.runtime.process.connection import Connection
from reconciler.runtime.process.fields import (
    HONOURED,
    NEEDS_CONTROL_GROUPS,
    NEEDS_NAMESPACES,
    NEEDS_ROOT,
)
from reconciler.runtime.process.supervisor import protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from reconciler.clock import Clock

_OUTPUT_LIMIT = 16384


def plain(value: Any) -> Any:
    """Turn nested named tuples into JSON."""
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return dict(value) if hasattr(value, "items") else value


class ProcessNetwork:
    """Implements ``cri.Network``."""

    def __init__(self, connection: Connection, pod_cidr: str, service_cidr: str) -> None:
        self._connection = connection
        self._pod_cidr = pod_cidr
        self._service_cidr = service_cidr
        self._isolated = True

    def learn(self, info: dict[str, Any]) -> None:
        """Take over what the supervisor says of its network: it may be the host's loopback."""
        self._pod_cidr, self._service_cidr = info["pod_cidr"], info["service_cidr"]
        self._isolated = info["isolated"]

    @property
    def service_cidr(self) -> str:
        return self._service_cidr

    @property
    def pod_cidr(self) -> str:
        return self._pod_cidr

    @property
    def privileged_ports(self) -> bool:
        return self._isolated

    async def _sockets(self, **request: Any) -> list[socket.socket]:
        _, fds = await self._connection.call_fds("sockets", **request)
        made = [socket.socket(fileno=fd) for fd in fds]
        for sock in made:
            sock.setblocking(False)
        return made

    async def listen(self, address: str, port: int) -> socket.socket:
        (sock,) = await self._sockets(count=1, datagram=False, address=address, port=port)
        return sock

    async def datagram(self, address: str, port: int) -> socket.socket:
        (sock,) = await self._sockets(count=1, datagram=True, address=address, port=port)
        return sock

    async def sockets(self, count: int, *, datagram: bool = False) -> list[socket.socket]:
        return await self._sockets(count=count, datagram=datagram) if count else []


class ProcessRuntime:
    """Implements ``cri.Runtime``. ``images`` tells what images without a command mean, whenever one is needed.

    ``pod_pids_limit``: processes and threads of a container, 0 = no limit. ``root_filesystem``: ``host``, or ``readOnly`` to keep containers from writing it.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        clock: Clock,
        images: Callable[[], Sequence[image_names.ImageMapping]] = tuple,
        root_filesystem: str = "host",
        pod_pids_limit: int = 4096,
        pod_cidr: str = "10.244.0.0/16",
        service_cidr: str = "10.96.0.0/12",
    ) -> None:
        self._clock = clock
        self._images = images
        self._root_filesystem = root_filesystem
        self._pod_pids_limit = pod_pids_limit
        self._connection = Connection(state_dir.absolute(), (pod_cidr, service_cidr), self._push)
        self._network = ProcessNetwork(self._connection, pod_cidr, service_cidr)
        self._subscribers: set[asyncio.Queue[cri.RuntimeEvent | None]] = set()
        self._commands: dict[int, asyncio.Future[int]] = {}
        self._codes: dict[int, int] = {}
        self._problem = ""
        self._speaks = protocol.OURS.speaks
        self._has_memory_directories = False
        self._resources: dict[str, bool] = {}
        self._rootless = os.getuid() != 0

    @property
    def name(self) -> str:
        return "process"

    @property
    def network(self) -> ProcessNetwork:
        return self._network

    @property
    def honoured_fields(self) -> frozenset[str]:
        honoured = HONOURED if self._resources.get("cpu") else HONOURED - NEEDS_CONTROL_GROUPS
        if self._problem:
            return honoured - NEEDS_ROOT - NEEDS_NAMESPACES
        return honoured - NEEDS_ROOT if self._rootless else honoured

    @property
    def default_user(self) -> int:
        return os.getuid()

    @property
    def problems(self) -> tuple[str, ...]:
        if not self._problem:
            return ()
        return (
            f"Pods share this host's network and files, at addresses of 127.0.0.0/8: {self._problem}",
        )

    def _push(self, message: dict[str, Any]) -> None:
        if "event" in message:
            for queue in self._subscribers:
                queue.put_nowait(cri.RuntimeEvent(message["event"]))
        elif "command" in message:
            future = self._commands.pop(message["command"], None)
            if future is None:
                self._codes[message["command"]] = message["code"]
            elif not future.done():
                future.set_result(message["code"])
        elif "lost" in message:
            for future in self._commands.values():
                if not future.done():
                    future.set_result(137)
            self._commands.clear()

    async def open(self) -> None:
        await self._connection.open()
        info = await self._connection.call("info")
        theirs = protocol.told(info)
        if not protocol.OURS.understands(theirs):
            self._connection.close()
            raise RuntimeFailure(
                f"the supervisor that holds the workloads (pid {info['pid']}) is of another version of reconciler: it speaks "
                f"protocol {theirs}, this version {protocol.OURS}. The workloads run on untouched. Start the version that they were "
                "started with, or stop them with its `reconciler down` and start them with this one"
            )
        self._network.learn(info)
        self._problem = str(info["problem"])
        self._speaks = theirs.speaks
        self._has_memory_directories = bool(info.get("memory_directories"))
        self._resources = dict(info.get("resources") or {})

    async def close(self) -> None:
        self._connection.close()
        for queue in self._subscribers:
            queue.put_nowait(None)

    async def shutdown(self) -> None:
        await self._connection.call("shutdown")
        await self.close()

    async def ensure_image(self, image: str, pull_policy: str, *, needs_command: bool) -> str:
        del pull_policy  # there is nothing to pull
        if needs_command:
            image_names.required(self._images(), image)
        return image

    async def run_pod_sandbox(self, config: cri.SandboxConfig) -> cri.SandboxStatus:
        return _sandbox(await self._connection.call("run_sandbox", config=plain(config)))

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        await self._connection.call("stop_sandbox", sandbox=sandbox_id)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        await self._connection.call("remove_sandbox", sandbox=sandbox_id)

    async def pods(self, pod_uid: str | None = None) -> list[cri.SandboxStatus]:
        return [_sandbox(record) for record in await self._connection.call("pods", uid=pod_uid)]

    async def memory_directory(self, sandbox_id: str, path: str, size_bytes: int) -> int | None:
        if not self._has_memory_directories:
            return None
        _, fds = await self._connection.call_fds(
            "memory_directory", sandbox=sandbox_id, path=path, size=size_bytes
        )
        return fds[0] if fds else None

    async def create_container(self, sandbox_id: str, config: cri.ContainerConfig) -> str:
        compatibility.check(config, self._root_filesystem, self._speaks)
        asked = plain(config)
        asked["argv"] = [*config.command, *config.args]
        if not config.command:
            mapping = image_names.required(self._images(), config.image)
            asked["argv"] = [*mapping.command, *config.args]
            asked["env"] = {**mapping.env, **config.env}
            asked["working_dir"] = config.working_dir or mapping.working_dir
        asked["root_filesystem"] = self._root_filesystem
        asked["resources"]["pids"] = self._pod_pids_limit
        del asked["command"], asked["args"], asked["labels"]
        return str(await self._connection.call("create", sandbox=sandbox_id, config=asked))

    async def start_container(self, container_id: str) -> None:
        await self._connection.call("start", container=container_id)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        await self._connection.call("stop", container=container_id, grace=grace_seconds)

    async def remove_container(self, container_id: str) -> None:
        await self._connection.call("remove", container=container_id)

    async def containers(self, pod_uid: str | None = None) -> list[cri.ContainerStatus]:
        return [_container(c) for c in await self._connection.call("containers", uid=pod_uid)]

    async def stats(self, pod_uid: str | None = None) -> list[cri.ContainerStats]:
        if not self._resources:
            return []  # a supervisor of before measures nothing
        return [cri.ContainerStats(**s) for s in await self._connection.call("stats", uid=pod_uid)]

    async def exec_sync(
        self, container_id: str, command: tuple[str, ...], timeout_seconds: float
    ) -> cri.ExecResult:
        stream: Command | None = None
        outputs = {1: bytearray(), 2: bytearray()}
        try:
            async with asyncio.timeout(timeout_seconds):
                stream = await self.exec(container_id, command, stdin=False, tty=False)
                async for number, data in stream.output():
                    outputs[number] += data[: _OUTPUT_LIMIT - len(outputs[number])]
                code = await stream.wait()
        except TimeoutError:
            raise RuntimeFailure(
                f"command {command[0]!r} timed out after {timeout_seconds:g}s", reason="Timeout"
            ) from None
        finally:
            if stream is not None:
                await stream.close()
        return cri.ExecResult(code, bytes(outputs[1]), bytes(outputs[2]))

    async def exec(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> Command:
        pid, fds = await self._connection.call_fds(
            "exec", container=container_id, argv=list(command), tty=tty
        )
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if pid in self._codes:
            ended.set_result(self._codes.pop(pid))
        else:
            self._commands[pid] = ended
        stream = Command(self._connection, pid, fds, ended, tty=tty)
        if not stdin and not tty:
            await stream.write(b"")
        return stream

    async def reopen_log(self, container_id: str) -> None:
        await self._connection.call("reopen_log", container=container_id)

    async def events(self) -> AsyncIterator[cri.RuntimeEvent]:
        queue: asyncio.Queue[cri.RuntimeEvent | None] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._subscribers.discard(queue)


def _sandbox(record: dict[str, Any]) -> cri.SandboxStatus:
    known = {k: v for k, v in record.items() if k in cri.SandboxStatus._fields}
    known["state"] = cri.SandboxState(known["state"])
    return cri.SandboxStatus(**known)


def _container(record: dict[str, Any]) -> cri.ContainerStatus:
    known = {k: v for k, v in record.items() if k in cri.ContainerStatus._fields}
    known["state"] = cri.ContainerState(known["state"])
    return cri.ContainerStatus(**known)
