"""User namespaces of Pods with ``hostUsers: false`` (KEP-127): root in such a Pod is nobody on the host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import namespaces as ns

if TYPE_CHECKING:
    from collections.abc import Collection

#: How many ids a Pod has, and where the ranges begin: above those of accounts and of common /etc/subuid entries.
COUNT = 65536
_FIRST, _RANGES = 1 << 30, 8192


def take(used: Collection[int]) -> int:
    """Return the first id of a range that no other Pod of this node has. Raises ``OSError`` when all are taken."""
    taken = set(used)
    for number in range(_RANGES):
        base = _FIRST + number * COUNT
        if base not in taken:
            return base
    raise OSError(0, "no range of user ids is left for a Pod with hostUsers: false")


def make(base: int) -> int:
    """Return a user namespace (a descriptor) whose ids 0 to 65535 are those from ``base`` on. Raises ``OSError``."""
    ready, told = os.pipe()
    wait, go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ns.unshare(ns.NEWUSER)
            os.write(told, b"r")
            os.close(go)
            os.read(wait, 1)
        finally:
            os._exit(0)
    os.close(told)
    try:
        if not os.read(ready, 1):
            raise OSError(0, "this host makes no user namespaces (sysctl user.max_user_namespaces)")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{name}").write_text(f"0 {base} {COUNT}")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for fd in (ready, wait, go):
            os.close(fd)
        os.waitpid(child, 0)
