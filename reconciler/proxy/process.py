"""A proxy in a process of its own: it serves on while the daemon is away, and learns from whichever daemon comes.

The daemon feeds it objects over a unix socket, asks, and may replace it by another (of another version, with other
ports), which takes over the listening sockets: nobody is refused meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.errors import ReconcilerError
from reconciler.proxy import frames
from reconciler.proxy.mirror import Mirror
from reconciler.proxy.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.clock import Clock
    from reconciler.proxy.frames import Message

log = structlog.get_logger(__name__)

#: A proxy that was never fed, or whose socket is gone from its place, ends after so long without a daemon, in seconds.
ALONE_SECONDS = 30.0
#: One that was replaced lets its connections end for so long, in seconds.
RETIRED_SECONDS = 600.0


class Predecessor:
    """The proxy that is replaced: it gives its sockets, and goes when its successor serves."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    @classmethod
    def find(cls, path: Path) -> Predecessor | None:
        """Connect to the proxy that serves now; None where there is none."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(5)
            sock.connect(str(path))
        except OSError:
            sock.close()
            return None
        return cls(sock)

    def take_sockets(self) -> dict[str, int]:
        """Return its listening sockets by name; empty when it does not answer."""
        try:
            self._socket.sendall(frames.encode({"op": "sockets"}))
            return frames.receive_descriptors(self._socket)
        except OSError as error:
            log.warning("the proxy before gives no sockets", error=str(error))
            return {}

    def retire(self) -> None:
        """Let it accept nothing any more."""
        with contextlib.suppress(OSError):
            self._socket.sendall(frames.encode({"op": "retire"}))
        self._socket.close()


class ProxyProcess:
    """One proxy, and the control socket over which daemons feed it. ``identity`` says what it was started with."""

    def __init__(
        self,
        make: Callable[[Mirror], Proxy],
        *,
        path: Path,
        identity: str,
        clock: Clock,
        predecessor: Predecessor | None = None,
    ) -> None:
        self._make = make
        self._path = path
        self._own_path = path.with_name(f"{path.name}.{os.getpid()}")
        self._identity = identity
        self._clock = clock
        self._predecessor = predecessor
        self._mirror = Mirror(Proxy.KINDS)
        self._proxy: Proxy | None = None
        self._daemon: asyncio.StreamWriter | None = None
        self._connected = 0
        self._over = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    @property
    def path(self) -> Path:
        """Where it listens until it serves."""
        return self._own_path

    async def run(self, listening: Callable[[], None]) -> None:
        """Serve until a daemon says to stop, or until it is replaced and its connections have ended."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._own_path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._accept, self._own_path)
            self._own_path.chmod(0o600)
            listening()
            group.create_task(self._watch(), name="alone")
            try:
                await self._over.wait()
            finally:
                self._group = None
                server.close()
            raise _Over

    async def _watch(self) -> None:
        """End when nobody can reach this proxy any more."""
        while True:
            await self._clock.sleep(ALONE_SECONDS)
            if not self._connected and (self._proxy is None or not self._path.exists()):
                log.warning("no daemon can reach this proxy: ending")
                self._over.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", raw)[1] != os.getuid() or self._group is None:
            writer.close()
        else:
            self._group.create_task(self._serve(reader, writer), name="daemon")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connected += 1
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                message = await frames.read(reader)
                if message["op"] in ("put", "remove"):
                    self._learn(message, writer)
                else:
                    # One question may wait for long: the next message is not kept waiting.
                    task = asyncio.create_task(self._answer(message, writer))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            self._connected -= 1
            if self._daemon is writer:
                self._daemon = None
            writer.close()

    def _learn(self, message: Message, writer: asyncio.StreamWriter) -> None:
        if self._daemon is not writer:
            return  # a daemon that another one has taken the place of
        if message["op"] == "put":
            self._mirror.put(message["object"])
        else:
            self._mirror.remove(message["kind"], message["namespace"], message["name"])

    async def _answer(self, message: Message, writer: asyncio.StreamWriter) -> None:
        result: Any = None
        try:
            match message["op"]:
                case "about":
                    result = self._about()
                case "replace":
                    self._daemon = writer
                    await self._replace(message["objects"])
                    result = self._about()
                case "settle" if self._proxy is not None:
                    result = await self._proxy.flows.settled(message["address"], message["seconds"])
                case "measures" if self._proxy is not None:
                    result = self._proxy.measures()
                case "sockets":
                    self._give_sockets(writer)
                    return
                case "retire":
                    if self._group is not None:
                        # Who asks for it does not wait.
                        self._group.create_task(self._retire(), name="retire")
                    return
                case "stop":
                    self._over.set()
        except ReconcilerError as error:
            writer.write(frames.encode({"id": message["id"], "error": str(error)}))
            self._over.set()
        else:
            writer.write(frames.encode({"id": message["id"], "result": result}))
        with contextlib.suppress(OSError):
            await writer.drain()

    def _about(self) -> Message:
        proxy = self._proxy
        return {
            "identity": self._identity,
            "pid": os.getpid(),
            "http": proxy.http_url if proxy else "",
            "https": proxy.https_url if proxy else "",
            "dns": proxy.dns_on_host if proxy else "",
            "problems": proxy.problems() if proxy else [],
        }

    def _tell(self) -> None:
        if self._daemon is not None:
            self._daemon.write(frames.encode({"about": self._about()}))

    async def _replace(self, objects: list[Any]) -> None:
        """Take in all there is; the first time, begin to serve. Raises ``ReconcilerError`` when a port cannot be had."""
        self._mirror.replace(objects)
        if self._proxy is not None:
            return
        proxy = self._make(self._mirror)
        if self._predecessor is not None:
            proxy.sockets.inherit(await asyncio.to_thread(self._predecessor.take_sockets))
        assert self._group is not None  # noqa: S101 - only called while running
        running = self._group.create_task(_run(proxy), name="proxy")
        ready = asyncio.create_task(proxy.ready.wait())
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.done() and (problem := running.result()) is not None:
            raise problem
        self._proxy = proxy
        proxy.on_problems = self._tell
        self._own_path.rename(self._path)
        if self._predecessor is not None:
            self._predecessor.retire()
            self._predecessor = None
        proxy.sockets.drop_inherited()

    def _give_sockets(self, writer: asyncio.StreamWriter) -> None:
        descriptors = self._proxy.sockets.open() if self._proxy is not None else {}
        number = os.dup(writer.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as sock:
            sock.setblocking(True)
            frames.send_descriptors(sock, descriptors)
            sock.setblocking(False)

    async def _retire(self) -> None:
        if self._proxy is None:
            self._over.set()
            return
        log.info("replaced", connections=self._proxy.connections)
        self._proxy.retire()
        deadline = self._clock.monotonic() + RETIRED_SECONDS
        while self._proxy.connections and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.2)
        self._over.set()


class _Over(Exception):
    """Ends the group of tasks: connections that are left are cut."""


async def _run(proxy: Proxy) -> ReconcilerError | None:
    """Serve; returns why that cannot be, where it cannot."""
    try:
        await proxy.run()
    except ReconcilerError as error:
        return error
    return None


async def serve(process: ProxyProcess, listening: Callable[[], None]) -> None:
    """Run a process to its end."""
    try:
        await process.run(listening)
    except* _Over:
        pass
    finally:
        process.path.unlink(missing_ok=True)
