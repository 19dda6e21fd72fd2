"""The few rtnetlink requests that a node's network needs: links, addresses, routes."""

from __future__ import annotations

import errno
import os
import socket
import struct

RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 20, 24
_REQUEST_ACK = 0x1 | 0x4
_CREATE = 0x400 | 0x200  # NLM_F_CREATE | NLM_F_EXCL
_IFF_UP = 1
_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_PID = 3, 10, 18, 19
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1


def attribute(kind: int, data: bytes) -> bytes:
    """Return one netlink attribute, padded to four bytes."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _link(index: int = 0, *, up: bool = False) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("BBHiII", 0, 0, 0, index, flags, flags)


def _name(name: str) -> bytes:
    return attribute(_IFLA_IFNAME, name.encode() + b"\0")


class Netlink:
    """Requests in the network namespace that the socket was made in."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.socket = sock or socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)

    def close(self) -> None:
        self.socket.close()

    def request(self, kind: int, flags: int, body: bytes) -> None:
        """Send one request and wait for its acknowledgement; raises ``OSError``."""
        self.socket.send(
            struct.pack("IHHII", 16 + len(body), kind, _REQUEST_ACK | flags, 1, 0) + body
        )
        answer = self.socket.recv(65536)
        (code,) = struct.unpack_from("i", answer, 16)
        if code:
            raise OSError(-code, os.strerror(-code))

    def index(self, name: str) -> int:
        """Return a link's index in this socket's namespace (the caller must be inside of it)."""
        return socket.if_nametoindex(name)

    def add_bridge(self, name: str) -> None:
        info = attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"bridge"))
        self.request(RTM_NEWLINK, _CREATE, _link() + _name(name) + info)

    def add_veth(self, name: str, *, master: int, peer: str, peer_pid: int) -> None:
        """Make a pair: one end here, up and in a bridge; the other in the network of a process."""
        far = _link() + _name(peer) + attribute(_IFLA_NET_NS_PID, struct.pack("I", peer_pid))
        data = attribute(_INFO_DATA, attribute(_VETH_PEER, far))
        info = attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"veth") + data)
        bridge = attribute(_IFLA_MASTER, struct.pack("I", master))
        self.request(RTM_NEWLINK, _CREATE, _link(up=True) + _name(name) + bridge + info)

    def up(self, index: int) -> None:
        self.request(RTM_NEWLINK, 0, _link(index, up=True))

    def delete(self, name: str) -> None:
        """Remove a link; one that is gone already is fine."""
        try:
            self.request(RTM_DELLINK, 0, _link() + _name(name))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def add_address(self, index: int, address: str, prefix: int) -> None:
        raw = socket.inet_aton(address)
        body = struct.pack("BBBBI", socket.AF_INET, prefix, 0, 0, index)
        self.request(RTM_NEWADDR, _CREATE, body + attribute(2, raw) + attribute(1, raw))

    def add_default_route(self, gateway: str, index: int) -> None:
        body = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
        body += attribute(5, socket.inet_aton(gateway)) + attribute(4, struct.pack("I", index))
        self.request(RTM_NEWROUTE, _CREATE, body)

    def add_local_route(self, network: str, prefix: int, index: int) -> None:
        """Make every address of a network one of this host's own (AnyIP): any of them can be bound."""
        body = struct.pack("BBBBBBBBI", socket.AF_INET, prefix, 0, 0, 255, 3, 254, 2, 0)
        body += attribute(1, socket.inet_aton(network)) + attribute(4, struct.pack("I", index))
        self.request(RTM_NEWROUTE, _CREATE, body)
