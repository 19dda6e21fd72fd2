"""A proxy that is a process of its own: fed over a socket, serving without a daemon, replaced without refusing anybody."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import ReconcilerError
from reconciler.proxy import Proxy, ProxyLink
from reconciler.proxy.mirror import Mirror
from reconciler.proxy.process import Predecessor, ProxyProcess, serve
from tests.unit.proxy.conftest import (
    DNS_IP,
    INGRESS_CLASS,
    Loopback,
    Objects,
    ingress,
    service,
    slice_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.api.objects import Object

ADDRESS = "127.244.9.1"


class Node:
    """Starts proxies as a daemon does, but within this process."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.path = directory / "proxy.sock"
        self.port = port
        self.objects = Objects()
        self.network = Loopback()
        self.started = 0
        self.running: list[asyncio.Task[None]] = []

    async def start(self) -> Path:
        self.started += 1
        identity = self.identity
        clock = SystemClock()

        def make(mirror: Mirror) -> Proxy:
            return Proxy(
                mirror, self.network, clock=clock, entropy=SeededEntropy(), http_port=self.port,
                https_port=0, dns_address=DNS_IP,
            )  # fmt: skip

        process = ProxyProcess(
            make, path=self.path, identity=identity, clock=clock,
            predecessor=Predecessor.find(self.path),
        )  # fmt: skip
        listening = asyncio.Event()
        self.running.append(asyncio.create_task(serve(process, listening.set)))
        await listening.wait()
        return process.path

    identity = "one"

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[ProxyLink]:
        """What a daemon has of its proxy, while it lives."""
        link = ProxyLink(
            self.objects, path=self.path, identity=self.identity, start=self.start,
            clock=SystemClock(),
        )  # fmt: skip
        task = asyncio.create_task(link.run())
        ready = asyncio.create_task(link.ready.wait())
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            if task.done():
                task.result()
            yield link
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ReconcilerError):
                await task


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    for obj in (INGRESS_CLASS, service(), ingress(("", "/", "Prefix", "web"))):
        made.objects.put(obj)
    yield made
    for task in made.running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task


@asynccontextmanager
async def pod(node: Node, delay: float = 0.0) -> AsyncIterator[None]:
    """A Pod that answers after a while, behind the Service."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, ADDRESS, 0)
    node.objects.put(slice_of("web", ADDRESS, port=server.sockets[0].getsockname()[1]))
    try:
        yield
    finally:
        server.close()


async def ask(url: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read(-1)
    writer.close()
    return answer


async def test_it_serves_while_no_daemon_is_there_and_the_next_one_finds_it(node: Node) -> None:
    async with pod(node):
        async with node.daemon() as first:
            url = first.http_url
            assert (await ask(url)).startswith(b"HTTP/1.1 200")
        assert (await ask(url)).startswith(b"HTTP/1.1 200")
        missed: Object = slice_of("web")
        node.objects.put(missed)
        async with node.daemon() as second:
            assert second.http_url == url
            assert node.started == 1
            assert (await ask(url)).startswith(b"HTTP/1.1 503"), "what changed meanwhile is learned"


async def test_another_one_takes_its_place_and_nobody_is_refused(node: Node) -> None:
    async with pod(node, delay=0.01):
        async with node.daemon() as first:
            url = first.http_url
        answers: list[bytes] = []
        over = asyncio.Event()

        async def load() -> None:
            while not over.is_set():
                answers.append(await ask(url))

        clients = [asyncio.create_task(load()) for _ in range(4)]
        await asyncio.sleep(0.05)
        node.identity = "two"
        async with node.daemon() as second:
            assert second.http_url == url
            await asyncio.wait(
                [node.running[0]]
            )  # the first one goes when its connections have ended
            over.set()
            await asyncio.gather(*clients)
        assert node.started == 2
        assert len(answers) > 8
        assert all(a.startswith(b"HTTP/1.1 200") for a in answers)


async def test_a_taken_port_is_an_error_that_says_so(node: Node) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    node.port = server.sockets[0].getsockname()[1]
    with pytest.raises(ReconcilerError, match=f"port {node.port} .* is taken.*--http-port"):
        async with node.daemon():
            pass
    server.close()


async def test_the_daemon_hears_when_a_request_is_over(node: Node) -> None:
    async with pod(node, delay=0.2), node.daemon() as link:
        asking = asyncio.create_task(ask(link.http_url))
        await asyncio.sleep(0.1)
        node.objects.put(slice_of("web"))
        await link.settled(ADDRESS, 10)
        await asyncio.wait([asking])
        assert asking.result().startswith(b"HTTP/1.1 200")


async def test_a_stopped_proxy_serves_nothing_and_holds_nothing_back(node: Node) -> None:
    async with pod(node), node.daemon() as link:
        url = link.http_url
        await link.stop()
        await asyncio.wait(node.running)
        with pytest.raises(OSError):
            await ask(url)
        await link.settled(ADDRESS, 60)


async def test_a_proxy_that_dies_is_started_again(node: Node) -> None:
    async with pod(node), node.daemon() as link:
        node.running[0].cancel()
        await asyncio.wait([node.running[0]])
        answer = b""
        async with asyncio.timeout(10):
            while node.started < 2 or not answer.startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.05)
                with contextlib.suppress(
                    OSError
                ):  # it is given a port again where any was asked for
                    answer = await ask(link.http_url)
        assert not link.problems()


def test_a_mirror_tells_only_what_differs() -> None:
    heard: list[tuple[str, bool, bool]] = []
    mirror = Mirror(Proxy.KINDS)
    for kind in Proxy.KINDS:
        mirror.subscribe(
            kind,
            lambda old, new: heard.append(
                ((new or old or {})["metadata"]["name"], old is not None, new is not None)
            ),
        )
    mirror.replace([service("a"), service("b")])
    heard.clear()
    mirror.replace([service("a"), service("b", port=81), service("c")])
    assert heard == [("b", True, True), ("c", False, True)]
    heard.clear()
    mirror.replace([service("c")])
    assert sorted(heard) == [("a", True, False), ("b", True, False)]
    mirror.put({"kind": "ConfigMap", "metadata": {"name": "ignored"}})
    assert len(heard) == 2
