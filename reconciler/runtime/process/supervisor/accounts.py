"""Who a uid is, by the files that a container sees (the C library's other sources would load its plug-ins)."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

_LARGEST = 4 << 20  # bytes


class Account(NamedTuple):
    """``groups``: the ids of the groups that name it as a member, its own not among them."""

    gid: int = 0
    home: str = "/"
    groups: tuple[int, ...] = ()


def account(uid: int) -> Account:
    """Return the account of a uid; one that is unknown is in group 0 and at home in ``/``, as with every runtime."""
    for fields in _lines("/etc/passwd"):
        if len(fields) >= 6 and fields[2] == str(uid) and fields[3].isdecimal():
            groups = tuple(
                int(line[2])
                for line in _lines("/etc/group")
                if len(line) >= 4 and line[2].isdecimal() and fields[0] in line[3].split(",")
            )
            return Account(int(fields[3]), fields[5] or "/", groups)
    return Account()


def _lines(path: str) -> list[list[str]]:
    """Return the lines of a plain file; a volume may have put anything else in its place, or one without an end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        text = file.read(_LARGEST).decode(errors="replace")
    return [line.split(":") for line in text.splitlines()]
