"""Addresses of Pods, and sockets on addresses of Services: the same wherever the Pods' network lies."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipaddress


class Pool:
    """Hands out the addresses of a network in turn: one that was given back rests for as long as can be."""

    def __init__(self, network: ipaddress.IPv4Network) -> None:
        self._network = network
        self._next = 2

    def take(self, used: set[str]) -> str:
        """Return a free address; raises ``OSError`` when none is left."""
        size = self._network.num_addresses
        for _ in range(size):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next + 2 < size else 2
            if address not in used:
                return address
        raise OSError(0, f"no address is left in {self._network}")


def make_socket(request: dict[str, Any]) -> socket.socket:
    """Make a socket in the present network, bound and listening where the request names an address."""
    kind = socket.SOCK_DGRAM if request["datagram"] else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    if request.get("address"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((request["address"], request["port"]))
        if kind == socket.SOCK_STREAM:
            sock.listen(1024)
    return sock
