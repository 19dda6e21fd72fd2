"""The node's network: a bridge in a namespace of its own, and the Pods' addresses on it."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from . import addresses, holders, netlink, origin, records, remains
from . import namespaces as ns
from .loopback import LoopbackNetwork

if TYPE_CHECKING:
    from pathlib import Path


class Forbidden(Exception):
    """This host lets ordinary users make no namespaces; says which settings would."""


def _enter_user_namespace() -> None:
    try:
        ns.enter_user_namespace()
    except OSError as error:
        raise Forbidden(
            f"this host lets ordinary users make no user namespaces ({error.strerror}): allow them "
            "(sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, "
            "kernel.apparmor_restrict_unprivileged_userns) or run as root"
        ) from None


def recorded(path: Path) -> dict[str, Any]:
    """Return the record of a network that lives; empty where there is none."""
    record = records.read(path)
    holder = record.get("holder")
    sound = records.is_identity(holder) and isinstance(record.get("rootless"), bool)
    return record if sound and records.lives(record["holder"]) else {}


def open_network(path: Path, pod_cidr: str, service_cidr: str) -> NodeNetwork | LoopbackNetwork:
    """Find the node's network again or make one: in a namespace of its own, else on the host's loopback.

    A network that lives is kept as it is: Pods run in it.
    """
    record = recorded(path)
    if record.get("loopback"):
        return LoopbackNetwork(path, pod_cidr, service_cidr, record["loopback"])
    try:
        return NodeNetwork(path, pod_cidr, service_cidr)
    except Forbidden as forbidden:
        return LoopbackNetwork(path, pod_cidr, service_cidr, str(forbidden))


class NodeNetwork:
    """Found again by the process that holds it; made when there is none.

    ``fresh``: it was made just now, so that Pods of before are in another one.
    """

    isolated = True
    problem = ""

    def __init__(self, path: Path, pod_cidr: str, service_cidr: str) -> None:
        self.pods = ipaddress.IPv4Network(pod_cidr)
        self.services = ipaddress.IPv4Network(service_cidr)
        self.gateway = str(self.pods[1])
        self._path = path
        self._origin = origin.name_of(path.parent)
        self._pool = addresses.Pool(self.pods)
        self.rootless = os.getuid() != 0
        record = recorded(path)
        self.fresh = not record
        if record:
            self.holder = int(record["holder"]["pid"])
            self.rootless = record["rootless"]
            if self.rootless:
                fd = os.open(f"/proc/{self.holder}/ns/user", os.O_RDONLY)
                ns.setns(fd, ns.NEWUSER)
                os.close(fd)
        else:
            remains.end(self._origin)  # in a network whose record is lost
            if self.rootless:
                _enter_user_namespace()
            self.holder = self._make()
        self.netns = os.open(f"/proc/{self.holder}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        family = socket.AF_NETLINK
        (fd,) = holders.inside(self.netns, 1, lambda: socket.socket(family, socket.SOCK_RAW, 0))
        self.link = netlink.Netlink(socket.socket(fileno=fd))
        self.bridge = 2  # the first link made after lo
        self.own_pids = holders.can_have_own_pids()

    def _make(self) -> int:
        def work(peer: socket.socket) -> None:
            ns.unshare(ns.NEWNET)
            link = netlink.Netlink()
            link.up(1)
            link.add_bridge("pods0")
            index = socket.if_nametoindex("pods0")
            link.add_address(index, self.gateway, self.pods.prefixlen)
            link.up(index)
            net = self.services
            link.add_local_route(str(net.network_address), net.prefixlen, 1)
            ns.open_low_ports()
            link.close()
            peer.send(b"R%d" % index)

        pid, near = holders.hold("reconciler-node", work, mark=remains.mark(self._origin))
        with near:
            answer = near.recv(1024)
        if not answer.startswith(b"R"):
            raise OSError(0, answer[1:].decode() or "the node's network could not be made")
        holder = records.identity(pid)
        records.write(self._path, {"holder": holder, "rootless": self.rootless})
        return pid

    def take(self, used: set[str]) -> str:
        """Return a free address."""
        return self._pool.take(used)

    def plug(self, address: str, hostname: str, own: holders.Own, sandbox: str) -> int:
        """Make a Pod's network; returns the pid of its holder."""
        work = holders.pod_network(address, self.gateway, self.pods.prefixlen, hostname, own)
        mark = remains.mark(self._origin, sandbox)
        pid, near = holders.hold("reconciler-pod", work, pids=own.pids, mark=mark)
        with near:
            self._ready(near)
            name = f"v{int(ipaddress.IPv4Address(address)):x}"
            # The kernel takes its time to remove that of a Pod which had the address before.
            self.link.delete(name)
            self.link.add_veth(
                name,
                master=self.bridge,
                peer="eth0",
                peer_pid=pid,
            )
            near.send(b"G")
            self._ready(near)
        return pid

    def host(self, own: holders.Own, sandbox: str) -> int:
        """Return the pid of the holder of a Pod in the host's network."""
        work, mark = holders.host_network(own), remains.mark(self._origin, sandbox)
        pid, near = holders.hold("reconciler-pod", work, pids=own.pids, mark=mark)
        with near:
            self._ready(near)
        return pid

    @staticmethod
    def _ready(near: socket.socket) -> None:
        answer = near.recv(1024)
        if answer != b"R":
            raise OSError(0, answer[1:].decode() or "the Pod's network could not be made")

    def sockets(self, request: dict[str, Any]) -> list[int]:
        """Make sockets inside, bound and listening where asked."""
        return holders.inside(self.netns, request["count"], lambda: addresses.make_socket(request))

    def end(self) -> None:
        """End the network: nothing may be left in it."""
        # It may be an earlier supervisor's child, and have ended.
        records.send(records.read(self._path).get("holder") or {}, signal.SIGKILL)
