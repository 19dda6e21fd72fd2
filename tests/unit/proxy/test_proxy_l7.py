"""Ingress over real sockets: what a client sees."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.unit.proxy.conftest import ingress, service, slice_of

if TYPE_CHECKING:
    from tests.unit.proxy.conftest import World

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


class Echo:
    """An HTTP server that keeps connections alive and shows what it got."""

    def __init__(self, name: str = "pod") -> None:
        self.name = name.encode()
        self.connections = 0
        self.requests: list[bytes] = []
        self.open: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(found[1])) if found else b""
                self.requests.append(head + body)
                answer = self.name + b" " + body
                length = str(len(answer)).encode()
                writer.write(
                    b"HTTP/1.1 200 Fine\r\nContent-Length: " + length + b"\r\n\r\n" + answer
                )
        self.open.discard(writer)
        writer.close()


async def serve(world: World, pod: object, address: str = "127.244.0.1") -> int:
    port = await world.pod(address, pod)  # type: ignore[arg-type]
    world.objects.put(service())
    world.objects.put(slice_of("web", address, port=port))
    world.objects.put(ingress(("", "/", "Prefix", "web")))
    return port


async def one(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    assert found is not None
    return head, await reader.readexactly(int(found[1]))


async def test_connections_are_kept_on_both_sides(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    reader, writer = await world.client()
    for _ in range(5):
        writer.write(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
        head, body = await one(reader)
        assert head.startswith(b"HTTP/1.1 200 Fine\r\n")
        assert body == b"pod "
    writer.close()
    assert pod.connections == 1
    assert len(pod.requests) == 5


async def test_the_pod_is_told_who_asks_whatever_the_client_claims(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    await world.ask(
        b"GET / HTTP/1.1\r\nHost: a.test:80\r\nX-Forwarded-For: 9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n"
        b"Forwarded: for=9.9.9.9\r\nConnection: close, X-Private\r\nX-Private: 1\r\n\r\n"
    )
    head = pod.requests[0].lower()
    assert b"x-forwarded-for: 127.0.0.1\r\n" in head
    assert b"x-real-ip: 127.0.0.1\r\n" in head
    assert b"x-forwarded-proto: http\r\n" in head
    assert b"x-forwarded-host: a.test:80\r\n" in head
    assert b"9.9.9.9" not in head
    assert b"x-private" not in head


async def test_no_rule_is_404_and_no_ready_endpoint_503(world: World) -> None:
    assert (await world.ask(GET)).startswith(b"HTTP/1.1 404 ")
    world.objects.put(ingress(("", "/", "Prefix", "web")))
    assert (await world.ask(GET)).startswith(b"HTTP/1.1 503 ")  # I11: no such Service
    world.objects.put(service())
    assert (await world.ask(GET)).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /a/../../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
        (b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", b"400"),
    ],
)  # fmt: skip
async def test_what_could_be_read_in_two_ways_is_refused(
    world: World, request_: bytes, status: bytes
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    await serve(world, silent)
    answer = await world.ask(request_)
    assert answer.split(b" ")[1] == status
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_the_connection_header_cannot_take_a_bodys_length_away(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    answer = await world.ask(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, content-length, host\r\n\r\nabc"
    )
    assert answer.endswith(b"pod abc")
    assert b"Host: a\r\n" in pod.requests[0]


async def test_an_absolute_target_names_the_host(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    world.objects.put(ingress(("b.test", "/x", "Exact", "web")))
    await world.ask(b"GET http://b.test/x?q HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    assert pod.requests[0].startswith(b"GET /x?q HTTP/1.1\r\nHost: b.test\r\n")
    assert b"a.test" not in pod.requests[0]


async def test_bodies_stream_both_ways(world: World) -> None:
    """A chunk arrives while the request is still being sent, and the answer while it is still being made."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await reader.readline(), 16):
            piece = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n%b" % (size, piece.upper()))
        writer.write(b"0\r\n\r\n")
        writer.close()

    await serve(world, shout)
    reader, writer = await world.client()
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    for word in (b"one", b"two"):
        writer.write(b"3\r\n" + word + b"\r\n")
        assert await reader.readexactly(8) == b"3\r\n" + word.upper() + b"\r\n"
    writer.write(b"0\r\n\r\n")
    assert await reader.read(-1) == b"0\r\n\r\n"
    writer.close()


async def test_an_answer_that_breaks_off_is_not_followed_by_another(world: World) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n")
        await writer.drain()
        writer.close()

    await serve(world, broken)
    answer = await world.ask(GET)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not answer.endswith(b"0\r\n\r\n")


async def test_http_1_0_gets_no_chunks(world: World) -> None:
    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        writer.close()

    await serve(world, chunked)
    head, _, body = (await world.ask(b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b"ok"


async def test_expect_100_continue_is_answered(world: World) -> None:
    await serve(world, Echo())
    reader, writer = await world.client()
    writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"hi")
    assert (await one(reader))[1] == b"pod hi"
    writer.close()


async def test_an_early_answer_to_a_large_body_arrives(world: World) -> None:
    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(30)

    await serve(world, full)
    reader, writer = await world.client()
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 5_000_000
    )
    head, body = await one(reader)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert body == b"no"
    assert await reader.read(-1) == b""
    writer.close()


async def test_a_websocket_is_a_tunnel(world: World) -> None:
    async def socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Upgrade: websocket\r\n" in head
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"
        )
        while data := await reader.read(100):
            writer.write(data[::-1])
        writer.write(b"bye")
        writer.close()

    await serve(world, socket)
    reader, writer = await world.client()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(5) == b"hello"
    writer.write(b"abc")
    assert await reader.readexactly(3) == b"cba"
    writer.write_eof()
    assert await reader.read(-1) == b"bye"
    writer.close()


async def test_head_and_304_have_no_body(world: World) -> None:
    async def bodiless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status = b"200" if head.startswith(b"HEAD") else b"304"
            writer.write(b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 5\r\n\r\n")
            if b"/last" in head:
                writer.close()
                return

    await serve(world, bodiless)
    reader, writer = await world.client()
    for request in (b"HEAD / HTTP/1.1", b"GET / HTTP/1.1", b"HEAD /last HTTP/1.1"):
        writer.write(request + b"\r\nHost: a\r\n\r\n")
        assert b"Content-Length: 5" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_an_endpoint_that_refuses_is_passed_over(world: World) -> None:
    pod = Echo()
    port = await serve(world, pod)
    world.objects.put(slice_of("web", "127.244.0.9", "127.244.0.1", "127.244.0.8", port=port))
    for _ in range(6):
        assert (await world.ask(GET)).endswith(b"pod ")
    world.objects.put(slice_of("web", "127.244.0.9", port=port))
    assert (await world.ask(GET)).startswith(b"HTTP/1.1 502 ")


async def test_a_kept_connection_that_the_pod_closed_costs_no_request(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    reader, writer = await world.client()
    for _ in range(20):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await one(reader))[1] == b"pod "
        for connection in pod.open:
            connection.close()
    writer.close()


async def test_idle_connections_to_an_endpoint_that_left_are_closed(world: World) -> None:
    pod = Echo()
    await serve(world, pod)
    await world.ask(GET)
    assert len(pod.open) == 1
    world.objects.put(slice_of("web"))
    await world.until(lambda: not pod.open)


async def test_a_roll_under_load_loses_no_request(world: World) -> None:
    """Each Pod leaves the slice first and ends when its connections have: every request is answered with 200."""
    pods = {f"127.244.0.{n}": Echo(str(n)) for n in range(1, 5)}
    port = await serve(world, pods["127.244.0.1"])
    for address in list(pods)[1:]:
        await world.pod(address, pods[address], port)
    statuses: list[bytes] = []
    stop = asyncio.Event()

    async def load() -> None:
        reader, writer = await world.client()
        while not stop.is_set():
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            head, _ = await one(reader)
            statuses.append(head.split(b" ")[1])
        writer.close()

    async def more(count: int) -> None:
        wanted = len(statuses) + count
        await world.until(lambda: len(statuses) >= wanted)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for address in list(pods)[1:]:
            await more(40)
            world.objects.put(slice_of("web", address, port=port))
            await more(40)
            gone = f"127.244.0.{int(address.rpartition('.')[2]) - 1}"
            world.end_pod(gone)
        stop.set()
    assert set(statuses) == {b"200"}
    assert all(pod.requests for pod in pods.values())
