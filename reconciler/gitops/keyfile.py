"""A secret key of this state directory, made when it is needed first."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def kept_key(path: Path, size: int) -> bytes:
    """Return the key in a file (0600), made of so many random bytes where there is none. Raises ``OSError``."""
    return kept(path, lambda: secrets.token_bytes(size))


def kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a file (0600) holds; where there is none, write what ``make`` returns. Raises ``OSError``."""
    return _read(path) or _write(path, make())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(path: Path, key: bytes) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(handle, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
