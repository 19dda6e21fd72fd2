"""Probers: one handler asked once."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure
from reconciler.kubelet.probes import http
from reconciler.kubelet.probes.target import Outcome, Target

if TYPE_CHECKING:
    from reconciler.runtime.cri import Runtime

#: Of a command's output so much is told, in bytes.
LONGEST_OUTPUT = 10 * 1024


class AlwaysReady:
    """The prober of a runtime in which nothing runs: what runs there answers."""

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:  # noqa: ARG002
        return Outcome(ok=True)


class NetworkProber:
    """Asks over the runtime's network."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def check(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(handler, target, seconds)
        except TimeoutError:
            return Outcome(ok=False, message=f"timed out after {seconds:g} s")
        except (OSError, RuntimeFailure, ssl.SSLError, EOFError) as error:
            return Outcome(ok=False, message=str(error) or type(error).__name__)

    async def _ask(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        if "exec" in handler:
            return await self._exec(handler["exec"], target, seconds)
        if "httpGet" in handler:
            return await http.get(handler["httpGet"], target, self.open)
        if "tcpSocket" in handler:
            socket = handler["tcpSocket"]
            _, writer = await self.open(socket.get("host", ""), target.port(socket["port"]), target)
            writer.close()
            return Outcome(ok=True)
        if "grpc" in handler:
            # HTTP/2 is loaded only where a Pod asks for it.
            from reconciler.kubelet.probes import grpc

            return await grpc.check(handler["grpc"], target, self.open)
        return Outcome(ok=False, message="the probe names no handler")

    async def _exec(self, handler: dict[str, Any], target: Target, seconds: float) -> Outcome:
        command = tuple(handler.get("command") or ())
        done = await self._runtime.exec_sync(target.container_id, command, seconds)
        output = (done.stdout + done.stderr)[:LONGEST_OUTPUT].decode("utf-8", "replace").strip()
        return Outcome(done.exit_code == 0, output)

    async def open(
        self, host: str, port: int, target: Target, tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as the host does: a Pod's address through the runtime's network, others directly."""
        if target.host_network or (host and host != target.ip):
            return await asyncio.open_connection(host or target.ip, port, ssl=tls)
        (sock,) = await self._runtime.network.sockets(1)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (target.ip, port))
            return await asyncio.open_connection(
                sock=sock, ssl=tls, server_hostname=target.ip if tls else None
            )
        except BaseException:
            sock.close()
            raise
