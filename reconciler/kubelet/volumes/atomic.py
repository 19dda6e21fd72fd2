"""A directory's files replaced all at once, as Kubernetes' atomic writer does it (P27).

A new directory is written beside the old one, then one rename of the link ``..data`` shows it. A reader sees all of the old
or all of the new.
"""

from __future__ import annotations

import os
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from reconciler.kubelet.volumes import ownership

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.kubelet.volumes.sources import FileEntry

_DATA = "..data"


def write_atomically(
    target: Path, entries: Mapping[str, FileEntry], group: int | None = None
) -> None:
    """Let a directory hold exactly these files, all at once for whoever reads it.

    ``group`` (an fsGroup) may read them, whatever their modes say. Files stay inodes of their own: nothing is written through
    a link that a workload may have put there.
    """
    target.mkdir(parents=True, exist_ok=True)
    number = 0
    while os.path.lexists(target / f"..{number}"):
        number += 1
    fresh = target / f"..{number}"
    fresh.mkdir()
    fresh.chmod(0o755)
    for name, entry in entries.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(entry.data)
            if entry.user is not None and ownership.can_give():
                os.fchown(file.fileno(), entry.user, -1)
            os.fchmod(file.fileno(), entry.mode)
            if group is not None:
                ownership.give_file(file.fileno(), group, readonly=True)
    data = target / _DATA
    old = data.readlink() if data.is_symlink() else None
    temporary = target / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(data)
    tops = {PurePosixPath(name).parts[0] for name in entries}
    for top in tops:
        link = target / top
        if not link.is_symlink():
            link.symlink_to(PurePosixPath(_DATA, top))
    for entry_path in target.iterdir():
        if (
            entry_path.is_symlink()
            and not entry_path.name.startswith("..")
            and (entry_path.name not in tops)
        ):
            entry_path.unlink()
    if old is not None and str(old) != fresh.name and "/" not in str(old):
        shutil.rmtree(target / old, ignore_errors=True)
