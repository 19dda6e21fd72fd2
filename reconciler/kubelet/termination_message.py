"""What a container leaves to be told when it ends (P37): its termination message, or the end of its log.

The kubelet makes a file a run, which appears in the container at ``terminationMessagePath``. With the policy
``FallbackToLogsOnError`` the end of the log stands in for an empty one of a container that failed.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from reconciler.api.node import LogOptions
from reconciler.kubelet import logs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.runtime.cri import ContainerStatus

DEFAULT_PATH = "/dev/termination-log"
#: Bytes of the file that are told, of the log (and its lines), and of all containers of a Pod together.
LONGEST_MESSAGE = 4096
LONGEST_TAIL = 2048
MOST_LINES = 80
LONGEST_OF_POD = 12 * 1024


def file_of(pod_directory: Path, name: str, attempt: int) -> Path:
    """Return where on the host a run's message lies."""
    return pod_directory / "termination" / f"{name}.{attempt}"


def prepare(path: Path) -> None:
    """Make the file, empty, for a program of any user to write to. Raises ``OSError``."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o666)
    os.close(descriptor)


def read(
    container: Mapping[str, Any], status: ContainerStatus, pod_directory: Path, log: Path
) -> str:
    """Return the message of a container that has ended; what cannot be read is empty."""
    message = _end_of(file_of(pod_directory, status.name, status.attempt))
    policy = container.get("terminationMessagePolicy")
    if not message and policy == "FallbackToLogsOnError" and status.exit_code != 0:
        return _end_of_log(log)
    return message


def shared(messages: Mapping[str, str], containers: int) -> dict[str, str]:
    """Return the messages cut so that those of a Pod of so many containers fit 12 KiB together."""
    most = LONGEST_OF_POD // max(containers, 1)
    return {
        i: m if len(m) * 4 <= most else m.encode()[:most].decode("utf-8", "ignore")
        for i, m in messages.items()
    }


def _end_of(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - LONGEST_MESSAGE, 0))
        return file.read(LONGEST_MESSAGE).decode("utf-8", "replace")


def _end_of_log(log: Path) -> str:
    kept: deque[bytes] = deque()
    size = 0
    for text in logs.tail(log, LogOptions(tail=MOST_LINES)):
        kept.append(text)
        size += len(text)
        while kept and size - len(kept[0]) >= LONGEST_TAIL:
            size -= len(kept.popleft())
    return b"".join(kept)[-LONGEST_TAIL:].decode("utf-8", "replace")
