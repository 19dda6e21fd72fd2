"""What a node agent offers to an API server: logs and exec. The kubelet implements it, ``daemon`` hands it over.

Kubernetes' counterpart is the kubelet's own HTTP server (``/containerLogs``, ``/exec``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class LogOptions(NamedTuple):
    """Which log lines: ``kubectl logs``' options. ``since`` is seconds since the epoch."""

    follow: bool = False
    previous: bool = False
    since: float | None = None
    tail: int | None = None
    limit_bytes: int | None = None
    timestamps: bool = False


class ExecStream(Protocol):
    """A command that runs inside a container."""

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield ``(1, stdout bytes)`` and ``(2, stderr bytes)`` until both are closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Send to its stdin; ``b""`` closes it."""
        ...

    async def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the size; without a tty nothing happens."""
        ...

    async def wait(self) -> int:
        """Return its exit code (128 + signal when killed)."""
        ...

    async def close(self) -> None:
        """End it if it still runs."""
        ...


class NodeAgent(Protocol):
    """Logs and exec of this node's Pods. Raises ``ApiError`` (NotFound, BadRequest) as an API server words it."""

    def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Yield whole lines; ``container`` may be empty where the Pod has one (or a default)."""
        ...

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
        """Start a command in a running container."""
        ...
