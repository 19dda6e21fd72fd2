"""Running git: a fixed argument list, an environment of our own, a deadline for the whole family of processes.

GitPython starts the processes. It would hand down the daemon's environment, and a deadline of its own reaches only the
children it can list; so each command gets exactly the environment named here, a process group that is ended as one, and
bounded output.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from typing import IO, TYPE_CHECKING, NamedTuple

from reconciler.errors import SourceError
from reconciler.gitops.source.git.url import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Output beyond this many bytes ends a command.
LARGEST_OUTPUT = 96 * 1024 * 1024
LARGEST_COMPLAINT = 64 * 1024
#: So long git may take to tidy up after SIGTERM, in seconds.
GRACE_SECONDS = 2.0

#: What a daemon may have been told about its network; nothing else of its environment is handed down.
_INHERITED = (
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip


class GitError(SourceError):
    """Git refused; ``complaint`` is all that it wrote to stderr."""

    def __init__(self, message: str, complaint: str = "") -> None:
        super().__init__(message)
        self.complaint = complaint


class GitTimeout(GitError):
    """Git did not end in time."""


class Setting(NamedTuple):
    """Where a command works: the bare repository (None: none), its configuration, its home."""

    directory: Path | None
    config: Path
    home: Path
    extra: Mapping[str, str] = {}


async def run(setting: Setting, *arguments: str, seconds: float, given: bytes = b"") -> bytes:
    """Run ``git ARGUMENTS`` and return its output. Raises ``GitError``; ``seconds`` bound the whole."""
    where = [f"--git-dir={setting.directory}"] if setting.directory is not None else []
    return await run_program(
        setting, "git", "--no-pager", *where, *arguments, seconds=seconds, given=given
    )


async def run_program(
    setting: Setting, program: str, *arguments: str, seconds: float, given: bytes = b""
) -> bytes:
    """Run a program that belongs to git's work (``gpg``) as ``run`` does git."""
    command = _argv(setting, program, arguments)
    guard, process = _start(command, setting, wants_input=bool(given))
    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            output, complaint = await _converse(process, given)
            code = await _ended(process)
    except TimeoutError as error:
        raise GitTimeout(f"no answer within {seconds:g} s") from error
    finally:
        if code is None:
            await _end(process)
        del guard
    if code:
        raise GitError(_explained(complaint) or f"{program} ended with code {code}", complaint)
    return output


def _argv(setting: Setting, program: str, arguments: tuple[str, ...]) -> list[str]:
    found = shutil.which(program)
    env = shutil.which("env")
    if found is None or env is None:
        raise SourceError(f"{program} is not installed on this machine, and the source needs it")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(setting.home),
        "XDG_CONFIG_HOME": str(setting.home),
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(setting.config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        **{k: os.environ[k] for k in _INHERITED if k in os.environ},
        **setting.extra,
    }
    named = [f"{key}={value}" for key, value in environment.items()]
    return [env, "-i", *named, found, *arguments]


def _start(
    command: list[str], setting: Setting, *, wants_input: bool
) -> tuple[object, subprocess.Popen[bytes]]:
    """Start a command. The process lives no longer than the first of what is returned."""
    # What no source of this daemon needs is not loaded.
    from git import Git
    from git.exc import GitError as GitPythonError

    try:
        started = Git(setting.home).execute(
            command,
            istream=subprocess.PIPE if wants_input else None,
            as_process=True,
            shell=False,
            start_new_session=True,
        )
    except (OSError, GitPythonError) as error:
        # GitPython's own text is the whole command line.
        raise GitError(
            f"git cannot be started: {error.__cause__ or type(error).__name__}"
        ) from error
    assert started.proc is not None  # noqa: S101 - until its guard is dropped
    return started, started.proc


async def _converse(process: subprocess.Popen[bytes], given: bytes) -> tuple[bytes, str]:
    async with asyncio.TaskGroup() as group:
        if process.stdin is not None:
            group.create_task(_feed(process.stdin, given))
        output = group.create_task(_drain(process.stdout, LARGEST_OUTPUT, process))
        complaint = group.create_task(_drain(process.stderr, LARGEST_COMPLAINT, None))
    if output.result() is None:
        raise GitError("git wrote more than can be a repository of manifests")
    return output.result() or b"", (complaint.result() or b"").decode("utf-8", "replace")


async def _feed(pipe: IO[bytes], given: bytes) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        writer.write(given)
        await writer.drain()
    transport.close()


async def _drain(
    pipe: IO[bytes] | None, most: int, too_much: subprocess.Popen[bytes] | None
) -> bytes | None:
    """Read to the end. Beyond ``most`` bytes the rest is dropped, or the process ended and None returned."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := await reader.read(1 << 18):
            size += len(chunk)
            if size <= most:
                chunks.append(chunk)
            elif too_much is not None:
                _signal(too_much, signal.SIGKILL)
                return None
    finally:
        transport.close()
    return b"".join(chunks)


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process whose output has ended."""
    code = process.poll()
    if code is not None:
        return code
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return process.wait()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


async def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that did not come to its end, with everything that it started; git tidies up after SIGTERM."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await asyncio.shield(_ended(process))
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


_NOISE = re.compile(
    r"^(warning|hint|remote: (Enumerating|Counting|Compressing|Total)|Cloning|From )"
    r"|Could not read from remote repository|^Please make sure you have|^and the repository exists"
)


#: What ssh says in a frame of signs, in a line.
_KNOWN = (
    ("Host key verification failed", "the server's host key is not the one in known_hosts"),
    ("Permission denied (publickey", "the server refuses the ssh key"),
)


def _explained(complaint: str) -> str:
    """Return what git said went wrong, in one line without secrets."""
    known = next((told for words, told in _KNOWN if words in complaint), "")
    if known:
        return known
    lines = [redacted(line.strip()) for line in complaint.splitlines() if line.strip()]
    told = [line for line in lines if not _NOISE.search(line)]
    starts = ("fatal:", "error:", "ssh:")
    first = next((i for i, line in enumerate(told) if line.startswith(starts)), 0)
    plain = (re.sub(r"^(fatal|error): ", "", line) for line in told[first : first + 3])
    text = "; ".join(dict.fromkeys(plain))
    return "".join(c if c.isprintable() else " " for c in text)[:500]
