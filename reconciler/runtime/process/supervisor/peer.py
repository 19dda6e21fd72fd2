"""A connected daemon: what it said that is no whole line yet, and what it has not read yet."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A daemon that leaves so many bytes unread is cut off: it connects again and asks anew.
LONGEST_OUTBOX = 64 << 20


class Peer:
    """Never waits for the other side: both may have much to say at once."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._inbox = b""
        self._outbox: deque[tuple[memoryview, list[int]]] = deque()
        self._size = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        return bool(self._outbox)

    def send(self, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send a line, or keep it until it can be sent. The file descriptors are closed when they are."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        self._outbox.append((data, fds or []))
        self._size += len(data)
        if self._size > LONGEST_OUTBOX:
            self.cut_off()
        self.flush()

    def flush(self) -> None:
        """Send what the other side has room for."""
        try:
            while self._outbox:
                data, fds = self._outbox[0]
                sent = socket.send_fds(self.socket, [data], fds) if fds else self.socket.send(data)
                _close(fds)
                self._size -= sent
                if sent < len(data):
                    # The descriptors went with the first byte.
                    self._outbox[0] = (data[sent:], [])
                else:
                    self._outbox.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.cut_off()

    def lines(self) -> Iterator[dict[str, Any]] | None:
        """Return the requests that have come in; None when the other side has gone."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return iter(())
        except OSError:
            data = b""
        if not data:
            return None
        *lines, self._inbox = (self._inbox + data).split(b"\n")
        return map(json.loads, lines)

    def cut_off(self) -> None:
        """Say nothing more, not even the rest of a line; the other side hears the end."""
        self._forget()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._forget()
        self.socket.close()

    def _forget(self) -> None:
        for _, fds in self._outbox:
            _close(fds)
        self._outbox.clear()
        self._size = 0


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
