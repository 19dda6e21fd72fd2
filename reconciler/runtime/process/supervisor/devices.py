"""A /dev of a container's own: the devices that every program may have, and none of the host's disks."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from . import mountapi
from . import namespaces as ns

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SHARED = ("shm", "mqueue")  # the Pod's, where it has its own
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def lay() -> None:
    """Lay it over the host's, with a new set of terminals. Raises ``OSError``."""
    kept = {}
    for name in (*_DEVICES, *_SHARED):
        with contextlib.suppress(FileNotFoundError):
            place = os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC)
            kept[name] = mountapi.clone_tree(place, f"/dev/{name}")
            os.close(place)
    ns.mount("tmpfs", "/dev", "tmpfs", ns.MS_NOSUID, "mode=755")
    for name, tree in kept.items():
        path = Path("/dev", name)
        path.mkdir() if mountapi.is_directory(tree) else path.touch()
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        mountapi.move_tree(tree, place, str(path))
        os.close(place)
        os.close(tree)
    for name, where in _LINKS.items():
        Path("/dev", name).symlink_to(where)
    Path("/dev/pts").mkdir()
    options = "newinstance,ptmxmode=0666,mode=0620"
    ns.mount("devpts", "/dev/pts", "devpts", ns.MS_NOSUID | ns.MS_NOEXEC, options)
