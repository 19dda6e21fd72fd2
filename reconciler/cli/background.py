"""A daemon in the background: whether one runs, and starting one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.settings import Settings
    from reconciler.daemon.options import Options

#: How long a daemon may take to answer after it was started, in seconds.
START_SECONDS = 30.0


def daemon_pid(state_dir: Path) -> int | None:
    """Return the process id of the daemon that holds a state directory; None where none does.

    Raises ``ReconcilerError`` where that is not to be seen.
    """
    try:
        with (state_dir / "daemon.lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().split()
                return int(text[0]) if text and text[0].isdigit() else 0
    except PermissionError as error:
        # Not "none": whoever believes that would start another one.
        raise ReconcilerError(f"cannot read {error.filename}: {error.strerror}") from error
    except OSError:
        return None
    return None


def is_running(state_dir: Path) -> bool:
    """Whether a daemon holds the state directory. Raises ``ReconcilerError`` where that is not to be seen."""
    return daemon_pid(state_dir) is not None


def ensure(settings: Settings, options: Options) -> None:
    """Start a daemon in the background unless one runs; returns when it answers.

    Raises ``ReconcilerError`` with the last line of its log when it does not come up.
    """
    if is_running(settings.state_dir):
        return
    from reconciler.daemon import state

    state.prepare(settings.state_dir)
    argv = [
        sys.executable, "-m", "reconciler", "--state-dir", str(settings.state_dir), "daemon",
        *options.flags.argv(),
    ]  # fmt: skip
    log_path = settings.state_dir / "daemon.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    try:
        descriptor = os.open(log_path, flags, 0o600)
    except OSError as error:
        raise ReconcilerError(f"cannot write {log_path}: {error.strerror}") from error
    before = os.fstat(descriptor).st_size
    with os.fdopen(descriptor, "ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while not _answers(settings.state_dir):
        if process.poll() is not None or time.monotonic() > deadline:
            with log_path.open("rb") as file:
                file.seek(before)
                tail = file.read()[-4096:].decode("utf-8", "replace").strip().splitlines()
            said = (
                tail[-1].removeprefix("error: ")
                if tail
                else f"it did not answer within {START_SECONDS:g} s"
            )
            raise ReconcilerError(f"the daemon did not start: {said} (log: {log_path})")
        time.sleep(
            0.05
        )  # a child process is waited for: there is no loop yet whose clock could be used


def _answers(state_dir: Path) -> bool:
    """Whether the daemon's API accepts connections: it makes its socket when everything is up."""
    import socket

    try:
        folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"/proc/self/fd/{folder}/api.sock")
    except OSError:
        return False
    finally:
        os.close(folder)
    return True
