"""A command that runs in a container elsewhere: Kubernetes' channels over a WebSocket (KEP-1558)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import ClientWebSocketResponse, WSMsgType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_STDIN, _STDOUT, _STDERR, _STATUS, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255


class RemoteCommand:
    """One running command. Implements ``api.node.ExecStream``."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._code = 1

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (1, stdout) and (2, stderr) until the command ends."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == _STATUS:
                self._code = _exit_code(json.loads(data))
            elif channel in (_STDOUT, _STDERR):
                yield channel, data

    async def write(self, data: bytes) -> None:
        """Send to its stdin; ``b""`` closes it."""
        if data:
            await self._socket.send_bytes(bytes([_STDIN]) + data)
        else:
            await self._socket.send_bytes(bytes([_CLOSE, _STDIN]))

    async def resize(self, rows: int, columns: int) -> None:
        size = json.dumps({"Width": columns, "Height": rows}).encode()
        await self._socket.send_bytes(bytes([_RESIZE]) + size)

    async def wait(self) -> int:
        """Return its exit code, once ``output`` has ended."""
        return self._code

    async def close(self) -> None:
        await self._socket.close()


def _exit_code(status: dict[str, object]) -> int:
    if status.get("status") == "Success":
        return 0
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    return 1
