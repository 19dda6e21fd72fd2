"""The daemon's connection to its supervisor: JSON lines and file descriptors over a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    from collections.abc import Callable

#: A unix socket's address takes 107 bytes; some are left for a process's number behind it.
LONGEST_PATH = 100

_START = "import sys; sys.path.append(sys.argv[1]); from supervisor.serve import main; main(*sys.argv[2:])"


def socket_path(state_dir: Path, name: str = "supervisor") -> Path:
    """Return where a process of this node listens: in the state directory, or at a short name where that is too long."""
    path = state_dir / "run" / f"{name}.sock"
    if len(os.fsencode(path)) < LONGEST_PATH:
        return path
    # A directory of its own in both places: Pods see an empty one instead.
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = f"{runtime}/reconciler" if runtime else f"/tmp/reconciler-{os.getuid()}"  # noqa: S108 - checked below
    return Path(base) / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


class Connection:
    """Requests are answered in any order; pushes go to ``on_push``."""

    def __init__(
        self, state_dir: Path, arguments: tuple[str, ...], on_push: Callable[[dict[str, Any]], None]
    ) -> None:
        self._state = state_dir
        self._arguments = arguments
        self._on_push = on_push
        self._socket: socket.socket | None = None
        self._waiting: dict[int, asyncio.Future[tuple[Any, list[int]]]] = {}
        self._number = 0
        self._inbox = b""
        self._outbox = bytearray()
        self._fds: list[int] = []
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Connect to the supervisor, starting it first where there is none."""
        async with self._opening:
            if self._socket is not None:
                return
            for _ in range(3):
                if await self._connect():
                    return
                await self._start()
            raise RuntimeFailure(f"the supervisor of {self._state} does not answer")

    async def _connect(self) -> bool:
        path = socket_path(self._state)
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, str(path))
        except PermissionError as error:
            sock.close()  # there may be one: another would not be let in, and could not be reached
            raise RuntimeFailure(
                f"the supervisor cannot be reached: {error.strerror} ({path})"
            ) from error
        except OSError:
            sock.close()
            return False
        self._socket = sock
        self._inbox = b""
        self._outbox.clear()
        loop.add_reader(sock, self._readable)
        return True

    async def _start(self) -> None:
        path = socket_path(self._state)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise RuntimeFailure(f"{path.parent} is no directory of this user")
        if found.st_mode & 0o022:
            raise RuntimeFailure(
                f"{path.parent} can be written by others: chmod go-w {path.parent}"
            )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-IS", "-c", _START, str(Path(__file__).parent),
            str(self._state / "runtime"), str(path), *self._arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env={"LC_ALL": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        _, errors = await process.communicate()
        if process.returncode:
            raise RuntimeFailure(f"the supervisor did not start: {errors.decode().strip()}")

    def _readable(self) -> None:
        assert self._socket is not None  # noqa: S101
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 262144, 253)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._lost()
            return
        self._fds += fds
        *lines, self._inbox = (self._inbox + data).split(b"\n")
        for line in lines:
            self._message(json.loads(line))

    def _message(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            self._on_push(message)
            return
        count = message.get("fds", 0)
        fds, self._fds = self._fds[:count], self._fds[count:]
        future = self._waiting.pop(message["id"], None)
        if future is None or future.done():
            for fd in fds:
                os.close(fd)
        elif "error" in message:
            future.set_exception(RuntimeFailure(message["error"], reason=message["reason"]))
        else:
            future.set_result((message["result"], fds))

    def _lost(self) -> None:
        self.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RuntimeFailure("the supervisor has ended"))
        self._waiting.clear()
        self._on_push({"lost": True})

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._socket)
                loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None

    async def call(self, op: str, **arguments: Any) -> Any:
        """Ask and return the answer; raises ``RuntimeFailure``."""
        result, fds = await self.call_fds(op, **arguments)
        for fd in fds:
            os.close(fd)
        return result

    async def call_fds(self, op: str, **arguments: Any) -> tuple[Any, list[int]]:
        """Ask and return the answer with the file descriptors that came along."""
        await self.open()
        assert self._socket is not None  # noqa: S101
        loop = asyncio.get_running_loop()
        self._number += 1
        future: asyncio.Future[tuple[Any, list[int]]] = loop.create_future()
        self._waiting[self._number] = future
        data = json.dumps({"id": self._number, "op": op, **arguments}).encode() + b"\n"
        self._outbox += data
        self._flush()
        return await future

    def _flush(self) -> None:
        """Send what the supervisor has room for; the rest goes when it has read some. Never waits: it may be writing to us."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        try:
            while self._outbox:
                del self._outbox[: self._socket.send(self._outbox)]
        except BlockingIOError:
            loop.add_writer(self._socket, self._flush)
            return
        except OSError:
            self._lost()
            return
        loop.remove_writer(self._socket)
