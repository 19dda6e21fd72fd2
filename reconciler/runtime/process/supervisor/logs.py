"""A container's output, written in the CRI's log format: ``time stream tag line``."""

from __future__ import annotations

import os
import time
from pathlib import Path

LIMIT = 16384  # bytes of a line before it is written in parts


def stamp() -> bytes:
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % rest


class LogFile:
    """One log file, fed by two streams."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._partial = {b"stdout": b"", b"stderr": b""}
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        Path(self.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self.path, flags, 0o600)

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

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:
                return  # a full disk loses lines, not the container
