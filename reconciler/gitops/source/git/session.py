"""A private directory in which git finds its configuration and credentials, for as long as it needs them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.gitops.source.git import credentials as keys
from reconciler.gitops.source.git.command import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.gitops.source.git.credentials import Credentials
    from reconciler.gitops.source.git.url import RepositoryUrl

_PREFIX = ".session-"


@contextlib.contextmanager
def remote(
    where: Path, repository: Path | None, url: RepositoryUrl, given: Credentials
) -> Iterator[Setting]:
    """Let git speak with a server, with what opens it. Raises ``SourceError`` for credentials that do not fit."""
    with _private(where) as home:
        write(home, keys.files(url, given, home))
        yield Setting(repository, home / "config", home)


@contextlib.contextmanager
def local(where: Path, repository: Path) -> Iterator[Setting]:
    """Let git read a repository of ours: it reaches no server."""
    with _private(where) as home:
        write(home, {"config": keys.offline()})
        yield Setting(repository, home / "config", home)


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Write files that only we can read (0600)."""
    for name, text in files.items():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(directory / name, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)


def sweep(where: Path) -> None:
    """Remove what a killed daemon has left."""
    for left in where.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _private(where: Path) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))  # 0700
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
