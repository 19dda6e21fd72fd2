"""How much a volume takes on disk, as the kubelet measures it for ``emptyDir.sizeLimit``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def used_bytes(path: Path) -> int:
    """Return the bytes that a directory's files take, holes not counted and each inode once; 0 when it is gone.

    Links are not followed; what goes away meanwhile counts no more.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    waiting = [str(path)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    key = (found.st_dev, found.st_ino)
                    if key not in seen:
                        seen.add(key)
                        total += found.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total
