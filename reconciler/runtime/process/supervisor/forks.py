"""Forks that have nothing of their parent but what they are given."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def fresh_signals() -> None:
    """Let signals do what they do in a new program."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def close_all_but(*keep: int) -> None:
    """Close every file descriptor above 2 but these."""
    low = 3
    for fd in sorted(keep):
        if fd >= low:
            os.closerange(low, fd)
            low = fd + 1
    os.closerange(low, max(low, 65536))


def fork_in(enter: Callable[[], None] | None) -> int:
    """Fork as ``os.fork`` does; ``enter`` chooses the PID namespace of the child (setns or unshare with NEWPID).

    The child of a helper that ends at once comes to this process, which must be a subreaper: a process cannot come back from
    the namespace that it has chosen for its children. Raises ``OSError``.
    """
    if enter is None:
        return os.fork()
    report, told = os.pipe()
    helper = os.fork()
    if helper == 0:
        try:
            enter()
            child = os.fork()
        except OSError as error:
            os.write(told, f"E{error.strerror}".encode())
            os._exit(1)
        if child == 0:
            os.close(report)
            os.close(told)
            return 0
        os.write(told, str(child).encode())
        os._exit(0)
    os.close(told)
    said = os.read(report, 4096).decode()
    os.close(report)
    os.waitpid(helper, 0)
    if not said.isdecimal():
        raise OSError(0, said[1:] or "the helper ended")
    return int(said)
