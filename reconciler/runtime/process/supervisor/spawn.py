"""Forks: the process that holds a Pod's network, a container's first process, a command inside a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING, Any, NoReturn

from . import identity, mounts, netlink
from . import namespaces as ns

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS = {"uts": ns.NEWUTS, "net": ns.NEWNET, "mnt": ns.NEWNS}

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _fresh_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def _close_all_but(*keep: int) -> None:
    low = 3
    for fd in sorted(keep):
        if fd >= low:
            os.closerange(low, fd)
            low = fd + 1
    os.closerange(low, max(low, 65536))


def hold(title: str, work: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
    """Fork a process that does ``work`` and then only sleeps: it keeps its namespaces alive.

    Returns its pid and the socket to its ``work``.
    """
    near, far = socket.socketpair()
    pid = os.fork()
    if pid:
        far.close()
        return pid, near
    try:
        _fresh_signals()
        os.setsid()
        _close_all_but(far.fileno())
        ns.set_title(title)
        work(far)
        far.close()
        # A program of its own is smaller than a fork of this one: ~0.1 MB for ~2 MB.
        with contextlib.suppress(OSError):
            os.execve("/bin/sleep", ["sleep", "2147483647"], {})  # noqa: S606
        while True:
            signal.pause()
    except OSError as error:
        with contextlib.suppress(OSError):
            far.send(f"E{error}".encode())
    finally:
        os._exit(1)


def pod_network(
    address: str, gateway: str, prefix: int, hostname: str
) -> Callable[[socket.socket], None]:
    """Return the work of a Pod's holder: its network, once the other side has plugged ``eth0`` in."""

    def work(peer: socket.socket) -> None:
        ns.unshare(ns.NEWNET | ns.NEWUTS)
        if hostname:
            ns.set_hostname(hostname)
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


def uts_only(hostname: str) -> Callable[[socket.socket], None]:
    """Return the work of the holder of a Pod in the host's network."""

    def work(peer: socket.socket) -> None:
        ns.unshare(ns.NEWUTS)
        if hostname:
            ns.set_hostname(hostname)
        peer.send(b"R")

    return work


def inside(netns: int, count: int, make: Callable[[], socket.socket]) -> list[int]:
    """Make sockets inside a network namespace and return their fds; raises ``OSError``."""
    near, far = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ns.setns(netns, ns.NEWNET)
            made = [make() for _ in range(count)]
            socket.send_fds(far, [b"R"], [sock.fileno() for sock in made])
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


def _execute(
    argv: list[str], config: dict[str, Any], host: identity.Host, user_namespace: int = -1
) -> NoReturn:
    """Become the program; raises ``OSError`` with a message for users."""
    env = {str(k): str(v) for k, v in (config.get("env") or {}).items()}
    env.setdefault("PATH", PATH)
    directory = config.get("working_dir") or "/"
    try:
        os.chdir(directory)
    except OSError as error:
        raise OSError(error.errno, f"workingDir {directory}: {error.strerror}") from None
    home = identity.assume(config.get("security") or {}, host, user_namespace)
    env.setdefault("HOME", home)
    os.umask(0o022)
    program = shutil.which(argv[0], path=env["PATH"])
    if program is None:
        here = os.path.exists(argv[0]) and "/" in argv[0]  # noqa: PTH110
        raise OSError(0, f"{argv[0]}: {'permission denied' if here else 'command not found'}")
    try:
        os.execve(program, argv, env)  # noqa: S606
    except OSError as error:
        raise OSError(error.errno, f"{argv[0]}: {error.strerror}") from None


def _standard(stdin: int, stdout: int, stderr: int) -> None:
    # Moved above 2 first, lest one overwrites another.
    high = [os.dup(fd) for fd in (stdin, stdout, stderr)]
    for number, fd in enumerate(high):
        os.dup2(fd, number)
        if fd > 2:
            os.close(fd)


def _fail(report: int, error: OSError) -> NoReturn:
    os.write(report, b"E" + (error.strerror or str(error)).encode())
    os._exit(127)


class Container:
    """A forked process that waits for ``go``: its record can be on disk before its program runs."""

    def __init__(
        self,
        config: dict[str, Any],
        handles: dict[str, int],
        staging: str,
        streams: tuple[int, int, int],
        host: identity.Host,
    ) -> None:
        report, child_report = os.pipe()
        gate, self._go = os.pipe()
        self._report = report
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _fresh_signals()
                os.setsid()
                os.close(self._go)
                if not os.read(gate, 1):
                    os._exit(127)  # the supervisor died before the record was written
                for name, fd in handles.items():
                    ns.setns(fd, _FLAGS[name])
                _standard(*streams)
                _close_all_but(child_report)
                if config["view"] is not None:
                    mounts.build(config["view"], staging)
                    own = os.readlink("/proc/self/ns/mnt")  # noqa: PTH115
                    os.write(child_report, b"N" + own.encode() + b"\n")
                _execute(config["argv"], config, host)
            except OSError as error:
                _fail(child_report, error)
            except BaseException as error:  # noqa: BLE001 - nothing of the parent may run in the child
                _fail(child_report, OSError(0, repr(error)))
        os.close(child_report)
        os.close(gate)

    def go(self) -> tuple[str, str]:
        """Let it run; returns its mount namespace and an error ("" when the program runs)."""
        os.write(self._go, b"g")
        os.close(self._go)
        said = b""
        while data := os.read(self._report, 4096):
            said += data
        os.close(self._report)
        namespace = ""
        if said.startswith(b"N"):
            line, _, said = said.partition(b"\n")
            namespace = line[1:].decode()
        return namespace, said[1:].decode(errors="replace")


def _own_user_namespace(pid: int) -> int:
    """Return the user namespace that a process has to itself, or -1 when it lives in the supervisor's."""
    path = f"/proc/{pid}/ns/user"
    if os.readlink(path) == os.readlink("/proc/self/ns/user"):  # noqa: PTH115
        return -1
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def command(
    pid: int,
    argv: list[str],
    config: dict[str, Any],
    streams: tuple[int, int, int],
    host: identity.Host,
    *,
    tty: bool,
    namespaces: tuple[str, ...],
) -> int:
    """Start a command in these namespaces of a container; returns its pid, raises ``OSError``."""
    handles = [(os.open(f"/proc/{pid}/ns/{n}", os.O_RDONLY), _FLAGS[n]) for n in namespaces]
    user_namespace = _own_user_namespace(pid)
    report, child_report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _fresh_signals()
            os.setsid()
            for fd, flag in handles:
                ns.setns(fd, flag)
            _standard(*streams)
            _close_all_but(child_report, *([user_namespace] if user_namespace >= 0 else []))
            if tty:
                import fcntl
                import termios

                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            _execute(argv, config, host, user_namespace)
        except OSError as error:
            _fail(child_report, error)
        except BaseException as error:  # noqa: BLE001
            _fail(child_report, OSError(0, repr(error)))
    os.close(child_report)
    for fd, _ in handles:
        os.close(fd)
    if user_namespace >= 0:
        os.close(user_namespace)
    said = b""
    while data := os.read(report, 4096):
        said += data
    os.close(report)
    if said:
        os.waitpid(child, 0)
        raise OSError(0, said[1:].decode(errors="replace"))
    return child
