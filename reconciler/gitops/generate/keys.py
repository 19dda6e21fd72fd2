"""The age identities that open encrypted documents: files in the state directory, or the one that sops reads."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST = 1 << 20
_BEGINS = "AGE-SECRET-KEY-"


class AgeKeys:
    """Reads ``*.txt`` and ``*.agekey`` of a directory, and the file that ``$SOPS_AGE_KEY_FILE`` names.

    Files are read again when they change. A file that others may read is refused. Keys stay in memory and are never
    shown; pyrage (the extra ``sops``) does the cryptography.
    """

    def __init__(self, directory: Path | None, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._named = environment.get("SOPS_AGE_KEY_FILE") or ""
        self._stamp: tuple[Any, ...] | None = None
        self._identities: list[Any] = []
        self._digest = ""

    @property
    def digest(self) -> str:
        """Which keys these are; empty: none. Raises ``RenderError`` for a file that cannot be used."""
        self._refresh()
        return self._digest

    def unwrap(self, armored: str) -> bytes | None:
        """Return the data key that an age file holds, or None when no key here opens it."""
        self._refresh()
        if not self._identities:
            return None
        import pyrage

        try:
            return bytes(pyrage.decrypt(armored.encode(), self._identities))
        except (pyrage.DecryptError, ValueError):
            return None

    def _files(self) -> list[Path]:
        found = [Path(self._named).expanduser()] if self._named else []
        try:
            if self._directory is not None:
                found += sorted(
                    p for p in self._directory.iterdir() if p.suffix in (".txt", ".agekey")
                )
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RenderError(f"{self._directory}: {error.strerror}") from error
        return found

    def _refresh(self) -> None:
        try:
            files = [(f, f.stat()) for f in self._files()]
        except OSError as error:
            raise RenderError(f"age key {error.filename}: {error.strerror}") from error
        stamp = tuple((f, s.st_ino, s.st_size, s.st_mtime_ns, s.st_mode) for f, s in files)
        if stamp == self._stamp:
            return
        lines = [line for file, _ in files for line in _read(file)]
        self._identities = [_identity(line, file) for file, line in lines]
        text = "\n".join(sorted(line for _, line in lines))
        self._digest = hashlib.sha256(text.encode()).hexdigest() if lines else ""
        self._stamp = stamp


def _read(file: Path) -> list[tuple[Path, str]]:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, encoding="utf-8") as reading:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise RenderError(f"age key {file}: not a regular file")
            if info.st_mode & 0o077:
                raise RenderError(f"age key {file} can be read by others: chmod 600 {file}")
            text = reading.read(_LARGEST)
    except OSError as error:
        raise RenderError(f"age key {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RenderError(f"age key {file}: it is not text") from error
    found = [s for line in text.splitlines() if (s := line.strip()) and not s.startswith("#")]
    return [(file, line) for line in found]


def _identity(line: str, file: Path) -> Any:
    try:
        import pyrage
    except ImportError as error:
        told = "encrypted documents need pyrage: pip install 'reconciler[sops]'"
        raise RenderError(told) from error
    try:
        return pyrage.x25519.Identity.from_str(line)
    except (pyrage.IdentityError, ValueError):
        told = f"age key {file}: expected lines that begin with {_BEGINS}1"
        raise RenderError(told) from None
