"""``seccompProfile: RuntimeDefault``: a filter of system calls (seccomp(2)) that refuses what container runtimes refuse.

Theirs is a list of what is allowed; this is a list of what is not: the calls that change the machine, reach into the kernel's
rarely walked parts or make namespaces. A call comes back with the capability that it belongs to.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple


class Unavailable(ValueError):
    """There is no filter for this machine."""


class _Call(NamedTuple):
    x86_64: int | None
    generic: int | None  # asm-generic/unistd.h: aarch64, riscv64


#: By the capability that allows them; "" = none does.
_REFUSED: dict[str, dict[str, _Call]] = {
    "": {
        "add_key": _Call(248, 217), "request_key": _Call(249, 218), "keyctl": _Call(250, 219),
        "userfaultfd": _Call(323, 282), "io_uring_setup": _Call(425, 425), "io_uring_enter": _Call(426, 426),
        "io_uring_register": _Call(427, 427), "nfsservctl": _Call(180, 42), "uselib": _Call(134, None),
        "ustat": _Call(136, None), "sysfs": _Call(139, None), "_sysctl": _Call(156, None),
        "create_module": _Call(174, None), "get_kernel_syms": _Call(177, None), "query_module": _Call(178, None),
        "vserver": _Call(236, None), "swapon": _Call(167, 224), "swapoff": _Call(168, 225),
    },
    "SYS_ADMIN": {
        "mount": _Call(165, 40), "umount2": _Call(166, 39), "pivot_root": _Call(155, 41),
        "open_tree": _Call(428, 428), "move_mount": _Call(429, 429), "fsopen": _Call(430, 430),
        "fsconfig": _Call(431, 431), "fsmount": _Call(432, 432), "fspick": _Call(433, 433),
        "mount_setattr": _Call(442, 442), "setns": _Call(308, 268), "unshare": _Call(272, 97),
        "quotactl": _Call(179, 60), "quotactl_fd": _Call(443, 443), "lookup_dcookie": _Call(212, 18),
        "fanotify_init": _Call(300, 262), "sethostname": _Call(170, 161), "setdomainname": _Call(171, 162),
    },
    "BPF": {"bpf": _Call(321, 280)},
    "PERFMON": {"perf_event_open": _Call(298, 241)},
    "DAC_READ_SEARCH": {"open_by_handle_at": _Call(304, 265)},
    "SYS_BOOT": {
        "reboot": _Call(169, 142), "kexec_load": _Call(246, 104), "kexec_file_load": _Call(320, 294),
    },
    "SYS_MODULE": {
        "init_module": _Call(175, 105), "finit_module": _Call(313, 273), "delete_module": _Call(176, 106),
    },
    "SYS_NICE": {
        "mbind": _Call(237, 235), "get_mempolicy": _Call(239, 236), "set_mempolicy": _Call(238, 237),
        "set_mempolicy_home_node": _Call(450, 450), "move_pages": _Call(279, 239), "migrate_pages": _Call(256, 238),
    },
    "SYS_PACCT": {"acct": _Call(163, 89)},
    "SYS_PTRACE": {"kcmp": _Call(312, 272), "pidfd_getfd": _Call(438, 438)},
    "SYS_RAWIO": {"iopl": _Call(172, None), "ioperm": _Call(173, None)},
    "SYS_TIME": {
        "settimeofday": _Call(164, 170), "clock_settime": _Call(227, 112), "clock_adjtime": _Call(305, 266),
    },
    "SYS_TTY_CONFIG": {"vhangup": _Call(153, 58)},
    "SYSLOG": {"syslog": _Call(103, 116)},
}  # fmt: skip
#: AUDIT_ARCH (linux/audit.h), and which numbers of system calls it uses.
_MACHINES = {
    "x86_64": (0xC000003E, "x86_64"),
    "aarch64": (0xC00000B7, "generic"),
    "riscv64": (0xC00000F3, "generic"),
}
_CLONE = _Call(56, 220)
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


def program(capabilities: frozenset[str], machine: str) -> bytes:
    """Return the filter for a container with these capabilities: struct sock_filter, one after another.

    Raises ``Unavailable``.
    """
    if machine not in _MACHINES:
        raise Unavailable(f"seccompProfile RuntimeDefault is not available on {machine}")
    architecture, numbers = _MACHINES[machine]
    refused = sorted(
        number
        for capability, calls in _REFUSED.items()
        if capability not in capabilities
        for call in calls.values()
        if (number := getattr(call, numbers)) is not None
    )
    steps: list[tuple[int, int, str, str]] = [  # code, value, where to go if so, if not ("" = on)
        (_EQUAL, architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
    ]
    if machine == "x86_64":
        steps.append((_AT_LEAST, _X32, "refuse", ""))
    steps += [(_EQUAL, number, "refuse", "") for number in refused]
    if "SYS_ADMIN" not in capabilities:
        # clone3's flags lie in memory, where no filter can look: without it the C library uses clone.
        steps += [
            (_EQUAL, _CLONE3, "absent", ""),
            (_EQUAL, getattr(_CLONE, numbers), "", "allow"),
            (_LOAD, _FIRST_ARGUMENT, "", ""),
            (_ANY_BIT, _NEW_NAMESPACES, "refuse", ""),
        ]
    steps.insert(0, (_LOAD, _ARCHITECTURE, "", ""))
    ends = {"": 0, "allow": len(steps), "refuse": len(steps) + 1, "absent": len(steps) + 2}
    made = b""
    for place, (code, value, yes, no) in enumerate(steps):
        jumps = [ends[where] - place - 1 if where else 0 for where in (yes, no)]
        made += struct.pack("HBBI", code, *jumps, value)
    return made + b"".join(
        struct.pack("HBBI", _RETURN, 0, 0, value) for value in (_ALLOW, _EPERM, _ENOSYS)
    )


def install(filter_program: bytes) -> None:
    """Filter this process's system calls from now on. Raises ``OSError`` without SYS_ADMIN or no_new_privs."""
    buffer = ctypes.create_string_buffer(filter_program, len(filter_program))
    program_struct = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(filter_program) // 8, ctypes.addressof(buffer))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, program_struct, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")
