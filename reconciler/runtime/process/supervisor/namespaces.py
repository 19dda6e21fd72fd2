"""Linux calls that Python has no functions for: namespaces, mounts, prctl, pidfd's exit code."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int) -> None:
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    data = options.encode() or None
    _check(
        _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), flags, data),
        f"mount {source} on {target}",
    )


def detach(target: str) -> None:
    """Unmount lazily (MNT_DETACH)."""
    _check(_libc.umount2(os.fsencode(target), 2), f"unmount {target}")


def pivot_root(new_root: str) -> None:
    """Make a mounted directory the root of this mount namespace and drop the old one."""
    os.chdir(new_root)
    _check(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    detach(".")
    os.chdir("/")


def become_subreaper() -> None:
    _check(_libc.prctl(36, 1, 0, 0, 0), "prctl")


def no_new_privileges() -> None:
    _check(_libc.prctl(38, 1, 0, 0, 0), "prctl")


def set_title(name: str) -> None:
    _libc.prctl(15, name.encode()[:15], 0, 0, 0)


def set_hostname(name: str) -> None:
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def enter_user_namespace(uid: int = 0, gid: int = 0) -> None:
    """Make a user namespace in which this user is ``uid`` and has all capabilities, and enter it."""
    outer_uid, outer_gid = os.getuid(), os.getgid()
    unshare(NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def open_low_ports() -> None:
    """Let everybody bind every port in the present network namespace."""
    try:
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    except OSError:
        return  # /proc/sys is read-only here: only root binds low ports then


def exit_status(pidfd: int) -> int | None:
    """Return the wait status of a reaped process that was not our child (Linux >= 6.15), else None."""
    buffer = bytearray(struct.pack("Q", 1 << 3) + b"\0" * 56)
    try:
        fcntl.ioctl(pidfd, (3 << 30) | (64 << 16) | (0xFF << 8) | 11, buffer, True)
    except OSError:
        return None
    (mask,) = struct.unpack_from("Q", buffer, 0)
    (status,) = struct.unpack_from("i", buffer, 60)
    return int(status) if mask & (1 << 3) else None
