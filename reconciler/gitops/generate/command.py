"""A tool as a process: a fixed argument list, a clean environment, no network, bounded in time and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from reconciler.errors import RenderError

if TYPE_CHECKING:
    from pathlib import Path

#: A tool may run so long, in seconds, and write so much, in bytes.
SECONDS = 60.0
LARGEST_OUTPUT = 64 * 1024 * 1024
LARGEST_COMPLAINT = 64 * 1024

#: Where a request over HTTP ends at once: the discard port of this machine.
_NOWHERE = "http://127.0.0.1:9"


class Ran(NamedTuple):
    """How a tool ended, and what it said."""

    code: int
    output: bytes
    complaint: str


async def run(
    argv: tuple[str, ...], *, home: Path, given: bytes = b"", seconds: float | None = None
) -> Ran:
    """Run a tool in ``home`` (its working directory, home and temporary directory) with ``given`` on its stdin.

    What it reads and writes is in memory, never on disk. Raises ``RenderError`` when it cannot be started, takes longer
    (``SECONDS``, unless told) or writes more than it may; it is then killed, with everything that it started.
    """
    seconds = SECONDS if seconds is None else seconds
    with _memory(given) as stdin, _memory() as stdout, _memory() as stderr:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, cwd=home, env=_environment(home), start_new_session=True,
                stdin=stdin, stdout=stdout, stderr=stderr,
            )  # fmt: skip
        except OSError as error:
            raise RenderError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
        _limit(process.pid, seconds)
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError as error:
            raise RenderError(f"{argv[0]} took longer than {seconds:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        if os.fstat(stdout.fileno()).st_size >= LARGEST_OUTPUT:
            raise RenderError(f"{argv[0]} writes more than {LARGEST_OUTPUT // 1024 // 1024} MiB")
        output = os.pread(stdout.fileno(), LARGEST_OUTPUT, 0)
        said = os.pread(stderr.fileno(), LARGEST_COMPLAINT, 0)
    return Ran(code, output, said.decode("utf-8", "replace"))


def _memory(given: bytes = b"") -> BinaryIO:
    """Return a file that is in memory alone: unlike a pipe it holds nobody up, and its size can be bounded."""
    file = os.fdopen(os.memfd_create("reconciler", os.MFD_CLOEXEC), "w+b", buffering=0)
    file.write(given)
    file.seek(0)
    return file


def _environment(home: Path) -> dict[str, str]:
    here = str(home)
    return {
        "PATH": "/nonexistent",  # no git, no plugins, no credential helpers
        "HOME": here, "TMPDIR": here, "LANG": "C.UTF-8",
        "XDG_CONFIG_HOME": here, "XDG_CACHE_HOME": here, "XDG_DATA_HOME": here,
        "HELM_PLUGINS": f"{here}/none", "KUBECONFIG": f"{here}/none", "HELM_NO_PLUGINS": "1",
        "HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE, "http_proxy": _NOWHERE, "https_proxy": _NOWHERE,
    }  # fmt: skip


def _limit(pid: int, seconds: float) -> None:
    """Bound the processor time and the files of a process that was just started."""
    limits = {resource.RLIMIT_CPU: int(seconds) + 1, resource.RLIMIT_FSIZE: LARGEST_OUTPUT}
    for name, value in {**limits, resource.RLIMIT_CORE: 0}.items():
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, name, (value, value))
