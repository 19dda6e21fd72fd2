"""Volumes given to a Pod's fsGroup, as Kubernetes gives them (volume_linux.go).

What lies in a volume is the workload's and may change while this walks it: no link is followed, and nothing is opened but
directories and plain files.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_WRITABLE, _READABLE, _ENTER = 0o660, 0o440, 0o110


def can_give() -> bool:
    """Whether this process may give files to any group: where it may not, all files are one user's anyway."""
    return os.geteuid() == 0


def give_file(descriptor: int, group: int, *, readonly: bool) -> None:
    """Give an open file or directory to a group, which may read it, write it unless ``readonly``, enter and inherit it."""
    os.fchown(descriptor, -1, group)
    mode = os.fstat(descriptor).st_mode
    wanted = stat.S_IMODE(mode) | (_READABLE if readonly else _WRITABLE)
    if stat.S_ISDIR(mode):
        wanted |= stat.S_ISGID | _ENTER
    os.fchmod(descriptor, wanted)


def is_given(path: Path, group: int) -> bool:
    """Whether the top directory is as it should be: ``fsGroupChangePolicy: OnRootMismatch`` looks no further."""
    found = path.stat()
    wanted = _WRITABLE | _ENTER | stat.S_ISGID
    return found.st_gid == group and found.st_mode & wanted == wanted


def give_tree(path: Path, group: int) -> None:
    """Give everything in a volume to a group. Raises ``OSError``."""
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _, _, names, descriptor in os.fwalk(".", dir_fd=root, follow_symlinks=False):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    _give_name(descriptor, name, group)
            give_file(descriptor, group, readonly=False)
    finally:
        os.close(root)


def _give_name(directory: int, name: str, group: int) -> None:
    mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        os.chown(name, -1, group, dir_fd=directory, follow_symlinks=False)
        return
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            give_file(descriptor, group, readonly=False)
    finally:
        os.close(descriptor)
