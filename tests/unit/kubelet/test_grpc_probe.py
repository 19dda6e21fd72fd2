"""grpc probes against a server that speaks HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.clock import SystemClock
from reconciler.kubelet.probes import NetworkProber, Outcome, Target
from reconciler.runtime.memory import MemoryRuntime

h2_config = pytest.importorskip("h2.config")
h2_connection = pytest.importorskip("h2.connection")
h2_events = pytest.importorskip("h2.events")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OK = [("grpc-status", "0")]


def health(status: int) -> bytes:
    """Return a HealthCheckResponse in its frame; protobuf leaves a default out."""
    message = bytes([8, status]) if status else b""
    return b"\0" + struct.pack(">I", len(message)) + message


class Health:
    """A gRPC server of one answer: data (None = trailers only) and trailers."""

    def __init__(
        self, data: bytes | None, trailers: list[tuple[str, str]], status: str = "200"
    ) -> None:
        self.data, self.trailers, self.status = data, trailers, status
        self.headers: dict[str, str] = {}
        self.body = b""
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Health]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2_config.H2Configuration(client_side=False, header_encoding="utf-8")
        connection = h2_connection.H2Connection(config)
        connection.initiate_connection()
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                for event in connection.receive_data(data):
                    if isinstance(event, h2_events.RequestReceived):
                        self.headers = dict(event.headers)
                    elif isinstance(event, h2_events.DataReceived):
                        self.body += event.data
                    elif isinstance(event, h2_events.StreamEnded):
                        self._answer(connection, event.stream_id)
                writer.write(connection.data_to_send())
        writer.close()

    def _answer(self, connection: Any, stream: int) -> None:
        head = [(":status", self.status), ("content-type", "application/grpc")]
        if self.data is None:
            connection.send_headers(stream, head + self.trailers, end_stream=True)
            return
        connection.send_headers(stream, head)
        connection.send_data(stream, self.data)
        connection.send_headers(stream, self.trailers, end_stream=True)


async def ask(port: int, service: str = "", seconds: float = 10) -> Outcome:
    target = Target("id", "127.0.0.1", {}, host_network=True)
    handler = {"grpc": {"port": port, "service": service}}
    return await NetworkProber(MemoryRuntime(clock=SystemClock())).check(handler, target, seconds)


async def test_serving_is_a_success_and_the_service_is_named() -> None:
    """B12."""
    async with Health(health(1), OK).listening() as server:
        assert await ask(server.port, "shop.Cart") == Outcome(ok=True)
    assert server.headers[":path"] == "/grpc.health.v1.Health/Check"
    assert server.headers["content-type"] == "application/grpc"
    assert server.body == b"\0\0\0\0\x0b\x0a\x09shop.Cart"
    async with Health(health(1), OK).listening() as server:
        await ask(server.port)
    assert server.body == b"\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "trailers", "told"),
    [
        (health(2), OK, 'service unhealthy (responded with "NOT_SERVING")'),
        (health(0), OK, 'service unhealthy (responded with "UNKNOWN")'),
        (health(3), OK, 'service unhealthy (responded with "SERVICE_UNKNOWN")'),
        (None, [("grpc-status", "12"), ("grpc-message", "no")], "does not implement the grpc health"),
        (None, [("grpc-status", "5"), ("grpc-message", "which?")], "NotFound: which?"),
        (b"", [("x", "y")], "HTTP status 200"),
        (b"\0\0\0\0\xff" + b"\xff" * 50_000, OK, "failed"),
    ],
)  # fmt: skip
async def test_every_other_answer_fails_and_says_how(
    data: bytes | None, trailers: list[tuple[str, str]], told: str
) -> None:
    """B12."""
    async with Health(data, trailers).listening() as server:
        outcome = await ask(server.port, "shop.Cart")
    assert not outcome.ok
    assert told in outcome.message


async def test_what_speaks_something_else_fails() -> None:
    """B12."""

    async def http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 20)
        writer.close()

    server = await asyncio.start_server(http1, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await ask(port)
    assert not outcome.ok
    assert outcome.message
    assert not (await ask(port)).ok


async def test_one_that_never_answers_is_out_of_time() -> None:
    """B12."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        outcome = await ask(server.sockets[0].getsockname()[1], seconds=0.05)
    assert outcome.message == "timed out after 0.05 s"
