"""Verdicts kept in the state directory, so that what did not change is not looked at again.

Never wrong: an entry's name is a digest of everything that its content depends on (file contents and names, options, the
schemas, the rules' code, the installed libraries), and its content carries a digest of its own. An entry that is cut off,
altered or of another version counts as absent. Writers replace whole files, so that runs beside one another are safe;
the last one wins. The directory is its owner's alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAGIC = b"reconciler-verdicts-2\n"

#: So many entries are kept, the ones used last; a larger one, in bytes, is not read.
MOST_ENTRIES = 64
LARGEST = 512 * 1024 * 1024


class _Plain(pickle.Unpickler):
    """Builds no object of any class, whatever a file says."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


def dumps(value: Any) -> bytes:
    """Write plain data: text, bytes, numbers, tuples, lists and dicts."""
    return pickle.dumps(value, protocol=5)


def loads(data: bytes) -> Any:
    """Read what ``dumps`` wrote. Raises ``ValueError`` for anything else."""
    try:
        return _Plain(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError,
            TypeError, UnicodeDecodeError, MemoryError, OverflowError) as error:  # fmt: skip
        raise ValueError(str(error)) from error


class VerdictCache:
    """One directory of entries. Without a directory, or where it cannot be written, nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, name: str) -> Any:
        """Return an entry; None where there is none that is whole."""
        if self._directory is None:
            return None
        path = self._directory / name
        try:
            with path.open("rb") as file:
                info = os.fstat(file.fileno())
                if info.st_uid != os.geteuid() or info.st_size > LARGEST:
                    return None
                data = file.read()
            os.utime(path)
        except OSError:
            return None
        digest, payload = data[len(_MAGIC) :][:32], data[len(_MAGIC) + 32 :]
        if not data.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
            return None
        try:
            return loads(payload)
        except ValueError:
            return None

    def put(self, name: str, value: Any) -> None:
        """Keep an entry. What cannot be written is not kept, which costs time and nothing else."""
        if self._directory is None:
            return
        payload = dumps(value)
        temporary = ""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=".")
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
            Path(temporary).replace(self._directory / name)
            self._forget()
        except OSError:
            if temporary:
                Path(temporary).unlink(missing_ok=True)

    def _forget(self) -> None:
        """Remove the entries that were used longest ago, and what a killed run left half written."""
        assert self._directory is not None  # noqa: S101 - put has asked
        ages = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(self._directory)]
        for _, path in sorted(ages, reverse=True)[MOST_ENTRIES:]:
            Path(path).unlink(missing_ok=True)


def digest(parts: Iterable[object]) -> str:
    """Return a name for what depends on these parts."""
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        found.update(b"%d\0" % len(data) + data)
    return found.hexdigest()


def code() -> str:
    """Return a digest of what decides besides manifests and options: this program's code, schemas and libraries.

    Of files it takes names, sizes and times: installing or editing anything changes one of them.
    """
    package = Path(__file__).parents[2]
    schemas = package / "schemas"
    roots = [package / part for part in ("api", "gitops", "runtime", "kubelet", "cli/validate")]
    roots.append(schemas if schemas.is_dir() else package.parent / "schemas")
    lines = [__version__, sys.version]
    for root in roots:
        lines += _stamps(str(root))
    # A library that is installed, removed or changed in version renames a directory beside this one.
    libraries = Path(click.__file__).parents[1]
    lines.append(f"{libraries} {libraries.stat().st_mtime_ns}")
    return digest(sorted(lines))


def _stamps(root: str) -> list[str]:
    found: list[str] = []
    with os.scandir(root) as listing:
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    found += _stamps(entry.path)
            elif entry.name.endswith((".py", ".json", ".yaml")):
                info = entry.stat()
                found.append(f"{entry.path} {info.st_size} {info.st_mtime_ns}")
    return found
