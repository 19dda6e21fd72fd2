"""A command inside a container: its streams, over pipes or a terminal that the supervisor handed out."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.runtime.process.connection import Connection


class Command:
    """Implements ``api.node.ExecStream``."""

    def __init__(
        self,
        connection: Connection,
        pid: int,
        fds: list[int],
        ended: asyncio.Future[int],
        *,
        tty: bool,
    ) -> None:
        self._connection = connection
        self._pid = pid
        self._tty = tty
        self._ended = ended
        self._stdin = fds[0]
        self._outputs = {fds[0]: 1} if tty else {fds[1]: 1, fds[2]: 2}
        self._open = set(fds)
        for fd in fds:
            os.set_blocking(fd, False)

    def _shut(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            loop = asyncio.get_running_loop()
            loop.remove_reader(fd)
            loop.remove_writer(fd)
            os.close(fd)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        for fd in self._outputs:
            loop.add_reader(fd, ready.set)
        while self._outputs:
            await ready.wait()
            ready.clear()
            for fd, stream in list(self._outputs.items()):
                try:
                    data = os.read(fd, 65536)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""  # a terminal whose other side is closed answers EIO
                if data:
                    ready.set()
                    yield stream, data
                else:
                    del self._outputs[fd]
                    self._shut(fd)

    async def write(self, data: bytes) -> None:
        if not data and not self._tty:
            self._shut(self._stdin)
        view = memoryview(data or b"\x04")
        while view and self._stdin in self._open:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                free = asyncio.Event()
                loop.add_writer(self._stdin, free.set)
                await free.wait()
                loop.remove_writer(self._stdin)
            except OSError:
                self._shut(self._stdin)

    async def resize(self, rows: int, columns: int) -> None:
        if self._tty and self._stdin in self._open:
            fcntl.ioctl(self._stdin, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        for fd in list(self._open):
            self._shut(fd)
        self._outputs.clear()
        if not self._ended.done():
            with contextlib.suppress(Exception):
                await self._connection.call("kill_command", pid=self._pid)
