"""grpc: ``grpc.health.v1.Health/Check`` over plain HTTP/2 (B12).

The request and the answer are one field each, so they are written and read here rather than by a gRPC library:
``HealthCheckRequest{string service = 1}`` and ``HealthCheckResponse{ServingStatus status = 1}``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from reconciler.kubelet.probes.target import Opener, Outcome, Target

if TYPE_CHECKING:
    import asyncio

#: Of an answer so many bytes are read; a health check's has nine.
LONGEST_ANSWER = 10 * 1024

_SERVING = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_CODES = {
    1: "Canceled", 2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound",
    6: "AlreadyExists", 7: "PermissionDenied", 8: "ResourceExhausted", 9: "FailedPrecondition",
    10: "Aborted", 11: "OutOfRange", 12: "Unimplemented", 13: "Internal", 14: "Unavailable",
    15: "DataLoss", 16: "Unauthenticated",
}  # fmt: skip


@dataclass
class _Answer:
    http_status: str = ""
    code: int | None = None
    message: str = ""
    data: bytearray = field(default_factory=bytearray)
    over: bool = False

    def take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            self._headers(event)
        elif isinstance(event, DataReceived):
            self.data += event.data or b""
        self.over = self.over or isinstance(event, StreamEnded | StreamReset | ConnectionTerminated)
        self.over = self.over or len(self.data) > LONGEST_ANSWER

    def _headers(self, event: ResponseReceived | TrailersReceived) -> None:
        for raw_name, raw_value in event.headers or ():
            name, value = _text(raw_name), _text(raw_value)
            if name == ":status":
                self.http_status = value
            elif name == "grpc-status" and value.isascii() and value.isdigit() and len(value) < 4:
                self.code = int(value)
            elif name == "grpc-message":
                self.message = value[:1024]


async def check(handler: dict[str, Any], target: Target, opener: Opener) -> Outcome:
    """Ask once. Raises ``OSError`` and ``EOFError`` where nobody answers."""
    port = int(handler["port"])
    service = str(handler.get("service") or "")
    reader, writer = await opener("", port, target)
    try:
        answer = await _call(service, f"{target.ip}:{port}", reader, writer)
    except ProtocolError as error:
        return Outcome(ok=False, message=f"error: no HTTP/2 is spoken here: {error}")
    finally:
        writer.close()
    return _judge(answer)


async def _call(
    service: str, authority: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> _Answer:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream,
        [
            (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority), ("te", "trailers"), ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.36"),
        ],
    )  # fmt: skip
    request = _request(service)
    connection.send_data(stream, b"\0" + struct.pack(">I", len(request)) + request, end_stream=True)
    answer = _Answer()
    while not answer.over:
        writer.write(connection.data_to_send())
        data = await reader.read(LONGEST_ANSWER)
        if not data:
            break
        for event in connection.receive_data(data):
            answer.take(event)
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                connection.acknowledge_received_data(event.flow_controlled_length, stream)
    return answer


def _request(service: str) -> bytes:
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _judge(answer: _Answer) -> Outcome:
    if answer.code == 12:
        told = (
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        )
        return Outcome(ok=False, message=f"{told}: {answer.message}")
    if answer.code:
        name = _CODES.get(answer.code, str(answer.code))
        return Outcome(
            ok=False, message=f"error: health rpc probe failed: {name}: {answer.message}"
        )
    if answer.code is None:
        what = f"HTTP status {answer.http_status}" if answer.http_status else "no answer"
        return Outcome(ok=False, message=f"error: health rpc probe failed: {what}")
    status = _status(bytes(answer.data))
    if status == 1:
        return Outcome(ok=True)
    named = _SERVING.get(status, str(status))
    return Outcome(ok=False, message=f'service unhealthy (responded with "{named}")')


def _status(data: bytes) -> int:
    """Return the status of a HealthCheckResponse in its gRPC frame; a default is not written, so nothing means 0."""
    message = data[5:]
    if len(message) >= 2 and message[0] == 0x08:
        return message[1] & 0x7F
    return 0


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
