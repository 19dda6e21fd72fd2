"""Pods' subresources: log and exec, through the node agent (KEP-1558's channels over a WebSocket)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from reconciler import errors
from reconciler.api.node import LogOptions

if TYPE_CHECKING:
    from reconciler.api.node import ExecStream, NodeAgent
    from reconciler.clock import Clock

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class PodHandlers:
    """Answers ``pods/NAME/log`` and ``pods/NAME/exec``."""

    def __init__(self, agent: NodeAgent, clock: Clock) -> None:
        self._agent = agent
        self._clock = clock

    async def log(self, request: web.Request) -> web.StreamResponse:
        """Stream a container's log."""
        at, query = request.match_info, request.query
        since = None
        if query.get("sinceSeconds"):
            since = self._clock.now() - number(query["sinceSeconds"], "sinceSeconds")
        options = LogOptions(
            follow=query.get("follow") == "true",
            previous=query.get("previous") == "true",
            since=since,
            tail=number(query["tailLines"], "tailLines") if "tailLines" in query else None,
            limit_bytes=number(query["limitBytes"], "limitBytes")
            if "limitBytes" in query
            else None,
            timestamps=query.get("timestamps") == "true",
        )
        lines = self._agent.logs(at["namespace"], at["name"], query.get("container", ""), options)
        iterator = aiter(lines)
        # The first line decides: an error before it is an answer, not a broken stream.
        first = await anext(iterator, None)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        if first is not None:
            await response.write(first)
            async for line in iterator:
                await response.write(line)
        await response.write_eof()
        return response

    async def exec(self, request: web.Request) -> web.StreamResponse:
        """Run a command in a container; both sides speak in numbered channels."""
        at, query = request.match_info, request.query
        stdin, tty = query.get("stdin") == "true", query.get("tty") == "true"
        stream = await self._agent.exec(
            at["namespace"], at["name"], query.get("container", ""), query.getall("command", []),
            stdin=stdin, tty=tty,
        )  # fmt: skip
        try:
            socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=1 << 20)
            await socket.prepare(request)
            reading = asyncio.create_task(_read(socket, stream))
            try:
                async for channel, data in stream.output():
                    await socket.send_bytes(bytes([channel]) + data)
                code = await stream.wait()
                await socket.send_bytes(bytes([STATUS]) + json.dumps(exit_status(code)).encode())
                await socket.close()
            finally:
                reading.cancel()
        finally:
            await stream.close()
        return socket


async def _read(socket: web.WebSocketResponse, stream: ExecStream) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await stream.write(data)
        elif channel == RESIZE:
            try:
                size = json.loads(data)
                await stream.resize(int(size["Height"]), int(size["Width"]))
            except (ValueError, KeyError, TypeError):
                continue
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            await stream.write(b"")


def exit_status(code: int) -> dict[str, object]:
    """Return the Status that tells how a command ended."""
    if code == 0:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def number(text: str, field: str) -> int:
    """Read a whole number of a query. Raises ``BadRequest``."""
    if not text.isascii() or not text.isdigit():
        raise errors.BadRequest(f"{field}: expected a whole number")
    return int(text)
