"""Linux capabilities of a container: from the names in a securityContext to the sets of a process (capabilities(7))."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: By number (linux/capability.h).
NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
#: What a container has that asks for nothing: containerd's set but for MKNOD, as no device controller stands behind it.
DEFAULT = frozenset((
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE",
    "NET_RAW", "SYS_CHROOT", "AUDIT_WRITE", "SETFCAP",
))  # fmt: skip

_CAPBSET_READ, _CAPBSET_DROP, _CAP_AMBIENT, _CLEAR_ALL = 23, 24, 47, 4
_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class Unknown(ValueError):
    """No capability has this name."""


def wanted(add: Iterable[str], drop: Iterable[str], *, privileged: bool = False) -> frozenset[str]:
    """Return the names that a container shall have. Raises ``Unknown``.

    ``ALL`` counts first, then single names are added, then single names dropped, as containerd does it.

    >>> sorted(wanted(["NET_ADMIN"], ["ALL"]))
    ['NET_ADMIN']
    """
    if privileged:
        return frozenset(NAMES)
    adds, drops = {_name(n) for n in add}, {_name(n) for n in drop}
    base = frozenset(NAMES) if "ALL" in adds else DEFAULT
    if "ALL" in drops:
        base = frozenset()
    return (base | adds) - drops - {"ALL"}


def _name(text: str) -> str:
    name = text.upper().removeprefix("CAP_")
    if name != "ALL" and name not in NAMES:
        raise Unknown(f"unknown capability {text!r}")
    return name


def available() -> frozenset[str]:
    """Return the names that a child of this process can have: its bounding set."""
    return frozenset(
        name for number, name in enumerate(NAMES) if _libc.prctl(_CAPBSET_READ, number, 0, 0, 0) == 1
    )  # fmt: skip


def bound(names: frozenset[str]) -> None:
    """Let this process and its children gain nothing but these. Raises ``OSError`` without SETPCAP."""
    for number, name in enumerate(NAMES):
        if name not in names and _libc.prctl(_CAPBSET_READ, number, 0, 0, 0) == 1:
            _check(_libc.prctl(_CAPBSET_DROP, number, 0, 0, 0), f"drop {name}")
    _libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)


def limit(names: frozenset[str]) -> None:
    """Keep of this process's capabilities only these, and let none be inherited (as runc does it)."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (
        ctypes.c_uint32 * 6
    )()  # effective, permitted, inheritable; then the same of the higher 32
    _check(_libc.capget(header, sets), "capget")
    mask = sum(1 << number for number, name in enumerate(NAMES) if name in names)
    for half in (0, 1):
        kept = sets[3 * half + 1] & (mask >> 32 * half) & 0xFFFFFFFF
        sets[3 * half], sets[3 * half + 1], sets[3 * half + 2] = kept, kept, 0
    _check(_libc.capset(header, sets), "capset")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
