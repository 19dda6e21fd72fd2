"""The last log lines of a container, from the node agent."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from reconciler.api.node import LogOptions
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.api.node import NodeAgent

#: Longer than this nobody waits for a log, in seconds.
LIMIT_SECONDS = 2.0
_LIMIT_BYTES = 64 * 1024


class AgentTail:
    """Implements ``Tail`` over a node agent."""

    def __init__(self, agent: NodeAgent) -> None:
        self._agent = agent

    async def __call__(self, namespace: str, pod: str, container: str, lines: int, /) -> list[str]:
        found: list[str] = []
        options = LogOptions(tail=lines, limit_bytes=_LIMIT_BYTES)
        with contextlib.suppress(ReconcilerError, TimeoutError):
            async with asyncio.timeout(LIMIT_SECONDS):
                lines_of = self._agent.logs(namespace, pod, container, options)
                found.extend([_printable(line) async for line in lines_of])
        return found[-lines:]


def _printable(line: bytes) -> str:
    """Return a line that cannot steer a terminal: a log is a stranger's words."""
    text = line.decode("utf-8", "replace").rstrip()
    return "".join(c if c.isprintable() else "�" for c in text)
