"""A container's output, written in the CRI's log format: ``time stream tag line``."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

LIMIT = 16384  # bytes of a line before it is written in parts
#: Bytes of a file before its writer begins another by itself: twice the size at which the kubelet does, which only looks
#: now and then, while a program can write a gigabyte in that time.
LARGEST = 20 << 20
KEPT = 4


def stamp() -> bytes:
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % rest


class LogFile:
    """One log file, fed by two streams."""

    def __init__(self, path: str, largest: int = LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._size = 0
        self._partial = {b"stdout": b"", b"stderr": b""}
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        Path(self.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def feed(self, stream: bytes, data: bytes) -> None:
        """Write the whole lines of what came, and keep the rest."""
        lines = (self._partial[stream] + data).split(b"\n")
        rest = lines.pop()
        prefix = stamp() + b" " + stream
        out = []
        for line in lines:
            cut = line
            while len(cut) > LIMIT:
                out.append(prefix + b" P " + cut[:LIMIT] + b"\n")
                cut = cut[LIMIT:]
            out.append(prefix + b" F " + cut + b"\n")
        while len(rest) > LIMIT:
            out.append(prefix + b" P " + rest[:LIMIT] + b"\n")
            rest = rest[LIMIT:]
        self._partial[stream] = rest
        self._write(b"".join(out))

    def finish(self) -> None:
        """Write what has no end of line."""
        for stream, rest in self._partial.items():
            if rest:
                self._write(stamp() + b" " + stream + b" F " + rest + b"\n")
                self._partial[stream] = b""
        os.close(self._fd)
        self._fd = -1

    def _rotate(self) -> None:
        """Rename the files as the kubelet does: the newest old one is ``.1``."""
        for number in range(KEPT, 0, -1):
            newer = f"{self.path}.{number - 1}" if number > 1 else self.path
            with contextlib.suppress(OSError):
                os.replace(newer, f"{self.path}.{number}")  # noqa: PTH105 - the path of a request, used as it is
        self.reopen()

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._largest and self.path != os.devnull:
            self._rotate()
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:
                return  # a full disk loses lines, not the container
