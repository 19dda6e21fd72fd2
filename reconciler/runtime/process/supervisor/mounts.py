"""A container's own view of the file system: the host's, with volumes at their paths."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from . import namespaces as ns


def _nearest(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)  # noqa: PTH120 - strings: this runs between fork and exec
    return path


def _touch(path: str, *, directory: bool) -> None:
    if directory:
        Path(path).mkdir(parents=True, exist_ok=True)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def _mimic(directory: str, staging: str) -> None:
    """Lay a tmpfs over a directory and bind its entries again, so that new ones can be made."""
    ns.mount("tmpfs", staging, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV)
    os.chmod(staging, 0o755)  # noqa: S103, PTH101
    for entry in os.scandir(directory):
        target = f"{staging}/{entry.name}"
        if entry.is_symlink():
            Path(target).symlink_to(Path(entry.path).readlink())
            continue
        _touch(target, directory=entry.is_dir())
        try:
            ns.mount(entry.path, target, "", ns.MS_BIND | ns.MS_REC)
        except OSError:
            continue  # what this user may not see
    if directory == "/":
        ns.pivot_root(staging)
    else:
        ns.mount(staging, directory, "", ns.MS_BIND | ns.MS_REC)


def build(mounts: list[dict[str, Any]], staging: str) -> None:
    """Enter a private mount namespace in which every mount stands at its path; raises ``OSError``."""
    ns.unshare(ns.NEWNS)
    ns.mount("none", "/", "", ns.MS_REC | ns.MS_PRIVATE)
    # Sources are held open first: a mount or a new root may hide their paths.
    ordered = sorted(mounts, key=lambda mount: len(mount["to"]))
    held = [ns.clone_tree(mount["from"]) for mount in ordered]
    own: list[str] = []
    mimicked: set[str] = set()
    for mount, source in zip(ordered, held, strict=True):
        target = os.path.realpath(mount["to"])
        if not os.path.lexists(target):
            base = _nearest(target)
            inside = any(base == path or base.startswith(path + "/") for path in own)
            if not inside and base not in mimicked:
                _mimic(base, staging)
                mimicked.add(base)
            directory = stat.S_ISDIR(os.fstat(source).st_mode)
            _touch(target, directory=directory)
        ns.move_tree(source, target)
        if mount["readonly"]:
            _make_readonly(target)
        own.append(target)
        os.close(source)


def _make_readonly(target: str) -> None:
    locked = os.statvfs(target).f_flag & 0x0E  # nosuid, nodev, noexec may not be dropped
    ns.mount("", target, "", ns.MS_BIND | ns.MS_REMOUNT | ns.MS_RDONLY | locked)
