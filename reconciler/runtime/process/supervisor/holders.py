"""Forks that only hold namespaces: a node's network, and what the containers of a Pod share."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, NamedTuple

from . import forks, netlink
from . import namespaces as ns

if TYPE_CHECKING:
    from collections.abc import Callable


class Own(NamedTuple):
    """What a Pod has to itself beyond its network, name and mounts: PIDs, and System V and POSIX IPC."""

    pids: bool
    ipc: bool


def hold(
    title: str, work: Callable[[socket.socket], None], *, pids: bool = False, mark: str = ""
) -> tuple[int, socket.socket]:
    """Fork a process that does ``work`` and then only sleeps: it keeps its namespaces alive.

    ``pids``: it is the first process of a new PID namespace. ``mark``: the variable by which it is found where its record is
    lost. Returns its pid and the socket to its ``work``.
    """
    near, far = socket.socketpair()
    pid = forks.fork_in((lambda: ns.unshare(ns.NEWPID)) if pids else None)
    if pid:
        far.close()
        return pid, near
    try:
        forks.fresh_signals()
        # What comes to the first process of a namespace when its parent is gone needs no reaping then.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.setsid()
        forks.close_all_but(far.fileno())
        ns.set_title(title)
        work(far)
        far.close()
        # A program of its own is smaller than a fork of this one: ~0.1 MB for ~2 MB.
        with contextlib.suppress(OSError):
            own = dict([mark.split("=", 1)] if mark else ())
            os.execve("/bin/sleep", ["sleep", "2147483647"], own)  # noqa: S606
        while True:
            signal.pause()
    except OSError as error:
        with contextlib.suppress(OSError):
            far.send(f"E{error}".encode())
    finally:
        os._exit(1)


def pod_network(
    address: str, gateway: str, prefix: int, hostname: str, own: Own
) -> Callable[[socket.socket], None]:
    """Return the work of a Pod's holder: its network, once the other side has plugged ``eth0`` in."""

    def work(peer: socket.socket) -> None:
        ns.unshare(ns.NEWNET | ns.NEWUTS)
        if hostname:
            ns.set_hostname(hostname)
        _own_files(own)
        link = netlink.Netlink()
        link.up(1)
        ns.open_low_ports()
        peer.send(b"R")
        if not peer.recv(1):
            os._exit(1)
        index = socket.if_nametoindex("eth0")
        link.add_address(index, address, prefix)
        link.up(index)
        link.add_default_route(gateway, index)
        link.close()
        peer.send(b"R")

    return work


def _own_files(own: Own) -> None:
    """Make the mount namespace that a Pod's containers start from, with what goes with its processes and its memory."""
    ns.unshare(ns.NEWNS | (ns.NEWIPC if own.ipc else 0))
    ns.mount("none", "/", "", ns.MS_REC | ns.MS_SLAVE)
    if own.pids:
        ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    if own.ipc:
        for kind, path, options in (
            ("tmpfs", "/dev/shm", "mode=1777"),  # noqa: S108
            ("mqueue", "/dev/mqueue", ""),
        ):
            with contextlib.suppress(OSError):  # a host that has none needs none
                ns.mount(kind, path, kind, ns.MS_NOSUID | ns.MS_NODEV, options)


def host_network(own: Own) -> Callable[[socket.socket], None]:
    """Return the work of the holder of a Pod in the host's network."""

    def work(peer: socket.socket) -> None:
        ns.unshare(ns.NEWUTS)
        _own_files(own)
        peer.send(b"R")

    return work


def can_have_own_pids() -> bool:
    """Tell whether a PID namespace can be given a /proc of its own: inside many containers it cannot."""
    pid, near = hold("reconciler-try", _try_proc, pids=True)
    with near:
        answer = near.recv(1024)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return answer == b"R"


def _try_proc(peer: socket.socket) -> None:
    _own_files(Own(pids=True, ipc=False))
    peer.send(b"R")


def lay_memory(holder: int, path: str, size: int) -> int:
    """Lay a tmpfs over a directory as a holder sees it, unless there is one; returns a descriptor of it (O_PATH)."""

    def work() -> list[int]:
        if not os.path.ismount(path):
            _mount_memory(path, size)
        return [os.open(path, os.O_PATH | os.O_DIRECTORY)]

    (descriptor,) = in_mounts(holder, work, 1)
    return descriptor


def in_mounts(holder: int, work: Callable[[], list[int]], count: int) -> list[int]:
    """Do something where a holder's mounts are, and return the descriptors that come of it; raises ``OSError``."""
    handle = os.open(f"/proc/{holder}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def there() -> list[int]:
        ns.setns(handle, ns.NEWNS)
        return work()

    try:
        return _descriptors(there, count)
    finally:
        os.close(handle)


def _mount_memory(path: str, size: int) -> None:
    options = "mode=0755" + (f",size={size}" if size else "")
    flags = ns.MS_NOSUID | ns.MS_NODEV
    try:
        # Not to be swapped out to a disk (Linux 6.3; not in a user namespace).
        ns.mount("tmpfs", path, "tmpfs", flags, options + ",noswap")
    except OSError:
        ns.mount("tmpfs", path, "tmpfs", flags, options)


def inside(netns: int, count: int, make: Callable[[], socket.socket]) -> list[int]:
    """Make sockets inside a network namespace and return their fds; raises ``OSError``."""

    def work() -> list[int]:
        ns.setns(netns, ns.NEWNET)
        return [make().detach() for _ in range(count)]

    return _descriptors(work, count)


def _descriptors(work: Callable[[], list[int]], count: int) -> list[int]:
    """Let a fork do something elsewhere and return the descriptors that it comes back with; raises ``OSError``."""
    near, far = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            socket.send_fds(far, [b"R"], work())
        except OSError as error:
            far.send(f"E{error.errno or 0} {error.strerror}".encode())
        finally:
            os._exit(0)
    far.close()
    with near:
        message, fds, _, _ = socket.recv_fds(near, 1024, count)
    os.waitpid(pid, 0)
    if message[:1] != b"R":
        number, _, text = message[1:].decode().partition(" ")
        raise OSError(int(number or 0), text or "the helper ended")
    return list(fds)
