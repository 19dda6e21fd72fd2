"""Requests that two readers could understand differently, clients that are slow on purpose, clients that are too many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reconciler.proxy import clients, l7
from reconciler.proxy.http import BadMessage, host_of, parse_request, parse_response
from tests.unit.proxy.conftest import ingress, service, slice_of

if TYPE_CHECKING:
    from tests.unit.proxy.conftest import World

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        # CL.TE, TE.CL and TE.TE
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n",
        POST + b'Transfer-Encoding: "chunked"\r\n\r\n',
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n",
        POST + b"Transfer-Encoding : chunked\r\n\r\n",
        POST + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        # lengths
        POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n",
        POST + b"Content-Length: 3, 5\r\n\r\n",
        POST + b"Content-Length: +3\r\n\r\n",
        POST + b"Content-Length: -3\r\n\r\n",
        POST + b"Content-Length: 0x3\r\n\r\n",
        POST + b"Content-Length: 3 3\r\n\r\n",
        POST + b"Content-Length: \xb2\r\n\r\n",
        POST + b"Content-Length : 3\r\n\r\n",
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        # lines: bare LF and CR, continued ones, NUL, no name
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        GET[:-2] + b"\n\nGET /admin HTTP/1.1\r\nX: b\r\n\r\n",
        GET + b"X: b\n\r\n",
        GET + b"X: b\rY: c\r\n\r\n",
        GET + b"X: b\r\n c: d\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        GET + b"X: b\x00c\r\n\r\n",
        GET + b"X\x00: c\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        GET + b": no name\r\n\r\n",
        # the first line and the host
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage) as told:
        host_of(parse_request(raw))
    assert told.value.status == 400


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"A.Test:8080", "a.test"),
        (b"a.test.", "a.test"),
        (b"[::1]:80", "[::1]"),
        (b"a_b.test", "a_b.test"),
        (b"127.0.0.1:1", "127.0.0.1"),
    ],
)
def test_a_hosts_port_and_case_do_not_matter(host: bytes, name: str) -> None:
    """Covers I09."""
    assert host_of(parse_request(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_an_endpoint_cannot_split_answers_either(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_response(raw)


def test_http_2_is_not_tunnelled_past_the_rules() -> None:
    raw = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
    assert not parse_request(GET + raw).upgrade
    assert not parse_request(
        GET + b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"
    ).upgrade
    assert parse_request(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade


# -- slow clients -----------------------------------------------------------------------------------------------------


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a piece again and again: a limit for each of them would never be reached."""
    while True:
        writer.write(piece)
        await asyncio.sleep(0.01)


async def told(world: World, begin: bytes, piece: bytes) -> bytes:
    """Return what a client is answered that begins a request and never ends it."""
    reader, writer = await world.client()
    writer.write(begin)
    dripping = asyncio.create_task(drip(writer, piece))
    try:
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        dripping.cancel()


async def test_a_head_has_one_limit_from_its_first_byte_to_its_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "HEAD_SECONDS", 0.2)
    answer = await told(world, GET, b"X: y\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer


async def test_a_silent_connection_is_closed_without_a_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "IDLE_SECONDS", 0.1)
    reader, _ = await world.client()
    async with asyncio.timeout(10):
        assert await reader.read(-1) == b""


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n1", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
)  # fmt: skip
async def test_a_body_that_stops_coming_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, framing: bytes
) -> None:
    monkeypatch.setattr(l7, "PIECE_SECONDS", 0.2)
    gone = asyncio.Event()

    async def pod(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        gone.set()
        writer.close()

    port = await world.pod("127.244.0.1", pod)
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.1", port=port))
    world.objects.put(ingress(("", "/", "Prefix", "web")))
    reader, writer = await world.client()
    writer.write(POST + framing)
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 408 ")
        await gone.wait()


async def test_a_client_that_takes_nothing_does_not_hold_an_endpoint_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(l7, "PIECE_SECONDS", 0.2)
    gone = asyncio.Event()

    async def pod(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except OSError:
            gone.set()

    port = await world.pod("127.244.0.1", pod)
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.1", port=port))
    world.objects.put(ingress(("", "/", "Prefix", "web")))
    _, writer = await world.client()
    writer.write(GET + b"\r\n")
    async with asyncio.timeout(10):
        await gone.wait()


# -- too many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "status"), [("MOST_OF_ONE", b"429"), ("MOST_CLIENTS", b"503")])
async def test_one_connection_too_many_is_told_so_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: str, status: bytes
) -> None:
    monkeypatch.setattr(clients, limit, 2)
    kept = [await world.client() for _ in range(2)]
    await world.until(lambda: world.proxy.connections == 2)
    reader, _ = await world.client()
    async with asyncio.timeout(10):
        assert (await reader.read(-1)).split()[1] == status
    for reader, writer in kept:
        writer.write(GET + b"Connection: close\r\n\r\n")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 404 ")
    await world.until(lambda: world.proxy.connections == 0)
    reader, writer = await world.client()
    writer.write(GET + b"Connection: close\r\n\r\n")
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 404 ")
