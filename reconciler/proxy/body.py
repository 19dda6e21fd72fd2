"""Bodies of HTTP/1.1 messages: passed on piece by piece, no faster than the other side reads."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from reconciler.proxy import http
from reconciler.proxy.http import BadMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.proxy.http import Head

_PIECE = 64 * 1024


class SourceEnded(Exception):
    """Who sends the body went away before its end."""


async def pieces(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """Yield a body's data, without its framing.

    Raises ``BadMessage`` for malformed chunks and ``SourceEnded``. A response without a length ends with its connection.
    """
    try:
        if head.chunked:
            async for piece in _chunks(reader):
                yield piece
        elif head.length is not None:
            async for piece in _exactly(reader, head.length):
                yield piece
        else:
            while piece := await reader.read(_PIECE):
                yield piece
    except (OSError, asyncio.IncompleteReadError) as error:
        raise SourceEnded from error


async def _exactly(reader: asyncio.StreamReader, count: int) -> AsyncIterator[bytes]:
    while count:
        piece = await reader.read(min(count, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", count)
        count -= len(piece)
        yield piece


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise BadMessage(400, "a line between chunks is too long") from error
    if len(line) > http.LARGEST_CHUNK_LINE:
        raise BadMessage(400, "a line between chunks is too long")
    return line


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the chunks' data. Trailers are read and dropped: nobody announced that they are understood (RFC 9110, 6.5.1)."""
    while size := http.chunk_size(await _line(reader)):
        async for piece in _exactly(reader, size):
            yield piece
        if await reader.readexactly(2) != b"\r\n":
            raise BadMessage(400, "a chunk is longer than it says")
    left = http.LARGEST_CHUNK_LINE
    while (line := await _line(reader)) != b"\r\n":
        left -= len(line)
        if left < 0 or not line.endswith(b"\r\n"):
            raise BadMessage(400, "the trailers are malformed")


async def send(
    source: asyncio.StreamReader,
    head: Head,
    sink: asyncio.StreamWriter,
    *,
    chunked: bool,
    source_seconds: float | None = None,
    sink_seconds: float | None = None,
) -> None:
    """Pass a body on, framed anew.

    A source that gives nothing for ``source_seconds``, or a sink that takes nothing for ``sink_seconds``, is not waited for. Raises
    what ``pieces`` does, ``BadMessage`` (408) for a source that is too slow, and ``OSError`` for the sink (``TimeoutError`` is one).
    """
    found = pieces(source, head)
    while True:
        try:
            async with asyncio.timeout(source_seconds):
                piece = await anext(found, b"")
        except TimeoutError as error:
            raise BadMessage(408, "the body does not arrive") from error
        if not piece:
            break
        sink.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await drained(sink, sink_seconds)
    if chunked:
        sink.write(b"0\r\n\r\n")
        await drained(sink, sink_seconds)


async def drained(sink: asyncio.StreamWriter, seconds: float | None) -> None:
    """Wait until more may be written, for so long at most. Raises ``OSError`` (``TimeoutError`` is one)."""
    if sink.transport.get_write_buffer_size():
        async with asyncio.timeout(seconds):
            await sink.drain()
    else:
        await sink.drain()


async def discard(reader: asyncio.StreamReader, seconds: float) -> None:
    """Read until the end, for so long at most: a connection closed over unread bytes is reset, its answer lost."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(_PIECE):
                pass


async def tunnel(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Join two connections until both have ended, or one broke."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PIECE):
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            else:
                writer.close()
        except (OSError, RuntimeError):
            for _, end in (one, other):
                end.transport.abort()

    async with asyncio.TaskGroup() as group:
        group.create_task(one_way(one[0], other[1]))
        group.create_task(one_way(other[0], one[1]))
