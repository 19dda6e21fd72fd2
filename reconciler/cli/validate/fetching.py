"""Schemas from the network: only from where the user said, whole or not at all, and kept for a day."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from reconciler import __version__
from reconciler.clock import Clock, SystemClock
from reconciler.errors import ConfigError
from reconciler.gitops.validate.locations.located import LARGEST

#: Seconds that one answer may take to begin, and that a kept one is used.
TIMEOUT = 10.0
KEPT = 24 * 3600.0

#: What a file begins with that says: there is none.
_ABSENT = b""


class Fetched:
    """Reads addresses. What was read lies in a directory (None: nothing is kept); an empty file stands for a 404."""

    def __init__(self, directory: Path | None, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()

    def stamp(self) -> str:
        """Return a text that differs when what is kept may."""
        if self._directory is None or not self._directory.is_dir():
            return ""
        with os.scandir(self._directory) as listing:
            infos = [(entry.name, entry.stat()) for entry in listing]
        fresh = [(n, i) for n, i in infos if self._fresh(i.st_mtime)]
        return " ".join(sorted(f"{n}:{i.st_size}:{i.st_mtime_ns}" for n, i in fresh))

    def fetch(self, address: str) -> bytes | None:
        """Return what lies at an address; None where there is nothing. Raises ``ConfigError``."""
        path = None
        if self._directory is not None:
            path = self._directory / hashlib.sha256(address.encode()).hexdigest()
            try:
                if self._fresh(path.stat().st_mtime):
                    return path.read_bytes() or None
            except OSError:
                pass
        data = _get(address)
        if path is not None:
            _keep(path, data or _ABSENT)
        return data

    def _fresh(self, modified: float) -> bool:
        return self._clock.now() - modified < KEPT


def _get(address: str) -> bytes | None:
    request = urllib.request.Request(  # noqa: S310 - http or https: is_remote has asked
        address, headers={"User-Agent": f"reconciler/{__version__}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            data: bytes = answer.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None
        raise ConfigError(f"cannot read {address}: {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise ConfigError(f"cannot read {address}: {why}") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{address} is larger than {LARGEST >> 20} MiB: that is no schema")
    return data


def _keep(path: Path, data: bytes) -> None:
    """Keep an answer. What cannot be written is not kept, which costs time and nothing else."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except OSError:
        return
