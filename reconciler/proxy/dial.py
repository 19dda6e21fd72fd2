"""Connections to Pods: sockets are made inside the Pods' network beforehand, so that dialling needs no round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from reconciler.errors import RuntimeFailure

if TYPE_CHECKING:
    import socket

    from reconciler.clock import Clock
    from reconciler.proxy.listeners import Endpoint
    from reconciler.runtime.cri import Network

#: Sockets fetched at once, and how few are left when more are fetched.
BATCH = 32
LOW = 8

#: A Pod that does not answer a connection within this many seconds is passed over.
CONNECT_SECONDS = 3.0

#: Who makes the sockets may be restarting: a connection waits for so long, and asks again so often, in seconds.
FETCH_SECONDS = 3.0
RETRY_SECONDS = 0.05


class Dialer:
    """Opens TCP connections to endpoints."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._spare: deque[socket.socket] = deque()
        self._fetching: asyncio.Lock = asyncio.Lock()

    async def connect(self, endpoint: Endpoint) -> socket.socket:
        """Return a connected, non-blocking socket. Raises ``OSError``."""
        sock = await self._take()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(sock, tuple(endpoint))
        except TimeoutError:
            sock.close()
            raise OSError(f"{endpoint.address}:{endpoint.port} does not answer") from None
        except BaseException:
            sock.close()
            raise
        return sock

    async def _take(self) -> socket.socket:
        if len(self._spare) <= LOW and not self._fetching.locked():
            async with self._fetching:
                await self._fetch(patiently=not self._spare)
        while not self._spare:
            async with self._fetching:
                if not self._spare:
                    await self._fetch(patiently=True)
        return self._spare.popleft()

    async def _fetch(self, *, patiently: bool) -> None:
        """Fetch more sockets. ``patiently``: there is none left, so wait for whoever makes them to come back.

        Raises ``OSError`` when that takes too long.
        """
        deadline = self._clock.monotonic() + FETCH_SECONDS
        while True:
            try:
                self._spare.extend(await self._network.sockets(BATCH))
            except RuntimeFailure as error:
                if not patiently:
                    return
                if self._clock.monotonic() > deadline:
                    raise OSError(f"no socket in the Pods' network: {error}") from error
                await self._clock.sleep(RETRY_SECONDS)
            else:
                return

    def close(self) -> None:
        while self._spare:
            self._spare.popleft().close()
