"""Forks that become programs: a container's first process, a command inside a container."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import socket
import termios
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from . import forks, identity, mounts, users
from . import namespaces as ns

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = {"uts": ns.NEWUTS, "ipc": ns.NEWIPC, "net": ns.NEWNET, "mnt": ns.NEWNS}

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


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
    if most := config.get("data_limit"):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
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


def _terminal(peer: socket.socket) -> tuple[int, int, int]:
    """Open a terminal of this mount namespace, hand its other side out and return it three times."""
    outer, inner = os.openpty()
    socket.send_fds(peer, [b"T"], [outer])
    return inner, inner, inner


def _give_streams(user: int | None) -> None:
    """Let the user open its own /dev/stdout again."""
    if user is not None:
        for fd in range(3):
            with contextlib.suppress(OSError):  # an ordinary user's are its own already
                os.fchown(fd, user, -1)


def _fail(report: int, error: OSError) -> NoReturn:
    os.write(report, b"E" + (error.strerror or str(error)).encode())
    os._exit(127)


class Container:
    """A forked process that waits for ``go``: its record can be on disk before its program runs.

    ``report`` ends when it has become the program, or says why it has not (``starts``).
    """

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
        self.report = report
        pids = handles.get("pid")
        self.pid = forks.fork_in(None if pids is None else lambda: ns.setns(pids, ns.NEWPID))
        if self.pid == 0:
            try:
                forks.fresh_signals()
                os.setsid()
                os.close(self._go)
                if not os.read(gate, 1):
                    os._exit(127)  # the supervisor died before the record was written
                for name, flag in _FLAGS.items():
                    if name in handles:
                        ns.setns(handles[name], flag)
                _standard(*streams)
                forks.close_all_but(child_report)
                users_of_pod = users.make(config["users"]) if config.get("users") else -1
                if config["view"] is not None:
                    mounts.build(config["view"], staging, users_of_pod)
                    own = os.readlink("/proc/self/ns/mnt")  # noqa: PTH115
                    os.write(child_report, b"N" + own.encode() + b"\n")
                _execute(config["argv"], config, host, users_of_pod)
            except OSError as error:
                _fail(child_report, error)
            except BaseException as error:  # noqa: BLE001 - nothing of the parent may run in the child
                _fail(child_report, OSError(0, repr(error)))
        os.close(child_report)
        os.close(gate)

    def go(self) -> None:
        """Let it run."""
        os.write(self._go, b"g")
        os.close(self._go)


def _own_user_namespace(pid: int) -> int:
    """Return the user namespace that a process has to itself, or -1 when it lives in the supervisor's."""
    path = f"/proc/{pid}/ns/user"
    if os.readlink(path) == os.readlink("/proc/self/ns/user"):  # noqa: PTH115
        return -1
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _enter_pids(pid: int) -> None:
    handle = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    ns.setns(handle, ns.NEWPID)
    os.close(handle)


class Command(NamedTuple):
    """A forked process on its way: ``report`` as a container's."""

    pid: int
    report: int
    peer: socket.socket

    def terminal(self) -> int:
        """Return the other side of its terminal once it runs; closes the way that it came by."""
        with self.peer:
            _, fds, _, _ = socket.recv_fds(self.peer, 1, 1)
        return fds[0]


def command(
    pid: int,
    argv: list[str],
    config: dict[str, Any],
    streams: tuple[int, int, int] | None,
    host: identity.Host,
    *,
    namespaces: tuple[str, ...],
    doors: Sequence[int] = (),
) -> Command:
    """Start a command in these namespaces of a container, and through ``doors`` in its groups; raises ``OSError``.

    ``streams``: None = a terminal, made inside.
    """
    names = [n for n in namespaces if n != "pid"]
    handles = [(os.open(f"/proc/{pid}/ns/{n}", os.O_RDONLY), _FLAGS[n]) for n in names]
    user_namespace = _own_user_namespace(pid)
    report, child_report = os.pipe()
    near, far = socket.socketpair()
    child = forks.fork_in((lambda: _enter_pids(pid)) if "pid" in namespaces else None)
    if child == 0:
        try:
            forks.fresh_signals()
            os.setsid()
            for fd in doors:
                os.write(fd, b"0")
            for fd, flag in handles:
                ns.setns(fd, flag)
            _standard(*(streams or _terminal(far)))
            forks.close_all_but(child_report, *([user_namespace] if user_namespace >= 0 else []))
            if streams is None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            _give_streams(identity.host_user(config))
            _execute(argv, config, host, user_namespace)
        except OSError as error:
            _fail(child_report, error)
        except BaseException as error:  # noqa: BLE001
            _fail(child_report, OSError(0, repr(error)))
    os.close(child_report)
    far.close()
    for fd, _ in handles:
        os.close(fd)
    if user_namespace >= 0:
        os.close(user_namespace)
    return Command(child, report, near)
