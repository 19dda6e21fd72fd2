"""The sockets that a proxy listens on: bound here or in the Pods' network, or taken over from a predecessor.

Two processes that hold one listening socket share its queue of connections: so a proxy is replaced by another one
without refusing anybody.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.runtime.cri import Network

#: Connections that wait to be accepted.
BACKLOG = 1024


class Sockets:
    """Binds sockets by name (``http``, ``TCP 10.96.0.1:80``) and knows those that are open."""

    def __init__(self, network: Network, listen: str) -> None:
        self._network = network
        self._listen = listen
        self._inherited: dict[str, int] = {}
        self._open: dict[str, socket.socket] = {}

    def inherit(self, descriptors: dict[str, int]) -> None:
        """Take over a predecessor's sockets: each is used when it is asked for."""
        self._inherited.update(descriptors)

    def drop_inherited(self) -> None:
        """Close what was taken over and is not wanted any more."""
        for descriptor in self._inherited.values():
            os.close(descriptor)
        self._inherited.clear()

    def open(self) -> dict[str, int]:
        """Return the descriptors of the sockets that are open, by name."""
        self._open = {n: s for n, s in self._open.items() if s.fileno() >= 0}
        return {name: sock.fileno() for name, sock in self._open.items()}

    async def inside(self, name: str, address: str, port: int, *, datagram: bool) -> socket.socket:
        """Return a socket on a Service's address. Raises ``RuntimeFailure``."""
        found = self._taken(name)
        if found is None:
            bind = self._network.datagram if datagram else self._network.listen
            found = await bind(address, port)
        self._open[name] = found
        return found

    def outside(
        self, name: str, port: int, flag: str, *, datagram: bool = False, address: str = ""
    ) -> socket.socket:
        """Return a socket on the host, at its usual address unless another is given.

        ``flag`` is what the user would choose another port with.

        Raises ``ReconcilerError`` when it cannot be had.
        """
        # Asked for at another place it is another socket.
        address = address or self._listen
        name = f"{name} at {address}:{port}"
        found = self._taken(name)
        if found is None:
            found = _bind(address, port, flag, datagram=datagram)
        self._open[name] = found
        return found

    def _taken(self, name: str) -> socket.socket | None:
        descriptor = self._inherited.pop(name, None)
        if descriptor is None:
            return None
        taken = socket.socket(fileno=descriptor)
        taken.setblocking(False)
        return taken


def _bind(address: str, port: int, flag: str, *, datagram: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is.
    kind, protocol = (
        (socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        if datagram
        else (socket.SOCK_STREAM, socket.IPPROTO_TCP)
    )
    sock = socket.socket(family, kind, protocol)
    try:
        if not datagram:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if not datagram:
            sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is taken: choose another with" if taken else f"cannot be used ({error.strerror}):"
        raise ReconcilerError(
            f"port {port} on {address} {why} {flag} (0 = any free one)"
        ) from error
    return sock
