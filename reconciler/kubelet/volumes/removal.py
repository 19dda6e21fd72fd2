"""Directories of workloads removed whole: no link in them is followed, and no mode of them is in the way."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove a directory and everything in it, or the link that stands in its place; what cannot be removed stays."""
    if path.is_symlink():
        path.unlink()
        return
    if os.geteuid() != 0:
        _open_up(path)
    shutil.rmtree(path, ignore_errors=True)


def _open_up(top: Path) -> None:
    """Let the owner enter and empty every directory: an ordinary user is kept out by what a workload closed."""
    with contextlib.suppress(OSError):
        for _, names, _, descriptor in os.fwalk(top, follow_symlinks=False):
            for name in names:
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                with contextlib.suppress(OSError):
                    directory = os.open(name, flags, dir_fd=descriptor)
                    os.chmod(f"/proc/self/fd/{directory}", 0o700)  # noqa: PTH101
                    os.close(directory)
