"""Messages between a daemon and its proxy over a unix socket: a length of four bytes, then JSON."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import asyncio

Message = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, Any])
_length = struct.Struct("!I")
#: File descriptors that go with one message; the kernel takes no more than 253.
MOST_DESCRIPTORS = 200


def encode(message: Message) -> bytes:
    """Return a message's bytes."""
    data = _encode(message)
    return _length.pack(len(data)) + data


async def read(reader: asyncio.StreamReader) -> Message:
    """Return the next message. Raises ``IncompleteReadError`` at the end."""
    (size,) = _length.unpack(await reader.readexactly(_length.size))
    return _decoder.decode(await reader.readexactly(size))


def send_descriptors(sock: socket.socket, descriptors: dict[str, int]) -> None:
    """Send named file descriptors, some a message, and an end; blocks as long as the other side does not read."""
    named = list(descriptors.items())
    for start in range(0, len(named), MOST_DESCRIPTORS):
        part = named[start : start + MOST_DESCRIPTORS]
        socket.send_fds(sock, [encode({"names": [n for n, _ in part]})], [d for _, d in part])
    sock.sendall(encode({"names": []}))


def receive_descriptors(sock: socket.socket) -> dict[str, int]:
    """Receive what ``send_descriptors`` sends. Raises ``OSError`` when the other side ends before."""
    found: dict[str, int] = {}
    while True:
        head, descriptors, _, _ = socket.recv_fds(sock, _length.size, MOST_DESCRIPTORS)
        if len(head) < _length.size:
            raise ConnectionResetError("the other side has ended")
        (size,) = _length.unpack(head)
        data = b""
        while len(data) < size:
            more, rest, _, _ = socket.recv_fds(sock, size - len(data), MOST_DESCRIPTORS)
            if not more:
                raise ConnectionResetError("the other side has ended")
            data += more
            descriptors += rest
        names = _decoder.decode(data)["names"]
        if not names:
            return found
        found.update(zip(names, descriptors, strict=True))
