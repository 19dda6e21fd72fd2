"""systemd's notification protocol (sd_notify(3)): ready, reloading, stopping, status, watchdog.

Without ``NOTIFY_SOCKET`` in the environment all of it does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from reconciler.clock import Clock


class Notifier:
    """Tells a service manager how the daemon is doing. ``watchdog`` is its patience in seconds; None: it has no watchdog."""

    def __init__(self, clock: Clock, address: str = "", watchdog: float | None = None) -> None:
        self._clock = clock
        self._address = address
        self._watchdog = watchdog

    @classmethod
    def from_environment(cls, clock: Clock, environment: MutableMapping[str, str]) -> Self:
        """Take what systemd has told this process out of the environment: workloads must not speak in its name."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        wanted = meant and microseconds.isdecimal() and int(microseconds) > 0
        return cls(clock, address, int(microseconds) / 1e6 if wanted else None)

    def ready(self, status: str) -> None:
        """Everything is up, or a reload is over."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """Say one line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    async def watch(self) -> None:
        """Tell the watchdog, at half its patience, that the event loop still turns; until cancelled."""
        while self._watchdog is not None:
            self._send("WATCHDOG=1")
            await self._clock.sleep(self._watchdog / 2)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        text = "\n".join(line.replace("\n", " ") for line in lines)
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), address)
