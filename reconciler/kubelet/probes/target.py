"""Whom a probe asks, and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    import asyncio
    import ssl


class Outcome(NamedTuple):
    """What one probe found. ``warning``: it succeeded, and ``message`` says what is odd about it.

    ``answered``: there was an HTTP answer, of whatever status.
    """

    ok: bool
    message: str = ""
    warning: bool = False
    answered: bool = False


class Target(NamedTuple):
    """Whom to ask: one running container."""

    container_id: str
    ip: str
    ports: dict[str, int]
    host_network: bool = False

    def port(self, value: str | int) -> int:
        """Return a port's number; raises ``RuntimeFailure`` for a name that the container does not have."""
        if isinstance(value, int):
            return value
        if value.isdigit():
            return int(value)
        if value not in self.ports:
            raise RuntimeFailure(f"the container has no port named {value!r}")
        return self.ports[value]


class Prober(Protocol):
    """Runs one handler once; never raises for what it finds."""

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome: ...


class Opener(Protocol):
    """Connects to a port of a container, or of another host where the probe names one."""

    async def __call__(
        self, host: str, port: int, target: Target, tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...
