"""A private copy of a snapshot that a tool may read: regular files alone, so that no link leads out of it."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.gitops.source import File

#: Stands for the name of a folder above the root.
ABOVE = "_"


def root_of(files: Iterable[File]) -> str:
    """Return where in a workspace the root of these files is: further down where some lie beside it (``../base``)."""
    up = max((_leads_up(f.path) for f in files), default=0)
    return "/".join(["source", *[ABOVE] * up])


def _leads_up(path: str) -> int:
    parts = path.split("/")
    return next((i for i, part in enumerate(parts) if part != ".."), len(parts))


@contextlib.contextmanager
def workspace(files: Iterable[File], scratch: Path | None = None) -> Iterator[Path]:
    """Write files below ``source`` in a new directory (0700) and give it; it is gone afterwards. Raises ``RenderError``.

    ``scratch`` is where it is made; the system's temporary directory when None. The source's root is as far below
    ``source`` as its files lead up (``root_of``).
    """
    files = list(files)
    try:
        if scratch is not None:
            scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = Path(tempfile.mkdtemp(prefix="reconciler-build-", dir=scratch))
    except OSError as error:
        raise RenderError(f"no place to build in: {error}") from error
    try:
        root = home / "source"
        (home / root_of(files)).mkdir(parents=True)
        above = root_of(files).partition("/")[2]
        made: set[str] = set()
        for file in files:
            path = posixpath.normpath(posixpath.join(above, file.path))
            if path.startswith(("/", "..")):
                raise RenderError(f"{file.path}: leads out of the source")
            folder = posixpath.dirname(path)
            if folder not in made:
                (root / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            descriptor = os.open(root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)  # fmt: skip
            with os.fdopen(descriptor, "wb") as writing:
                writing.write(file.data)
        yield home
    except OSError as error:
        raise RenderError(f"the source cannot be copied to build it: {error}") from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
