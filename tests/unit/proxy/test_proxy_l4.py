"""Services over real sockets, and the proxy's own listeners."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.proxy.selfsigned import self_signed
from tests.unit.proxy.conftest import SERVICE_IP, World, ingress, service, slice_of

if TYPE_CHECKING:
    from pathlib import Path


async def name(world: World, address: str, port: int = 0) -> int:
    """Start a Pod that says its address, then echoes what it gets, upper case, after its end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(address.encode() + b"\n")
        data = await reader.read(-1)
        writer.write(data.upper())
        writer.close()

    return await world.pod(address, serve, port)


async def who(world: World) -> str:
    reader, writer = await world.connect(80)
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()
    return line.decode().strip()


async def test_connections_are_spread_and_each_may_end_one_way_first(world: World) -> None:
    port = await name(world, "127.244.0.1")
    await name(world, "127.244.0.2", port)
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.1", "127.244.0.2", port=port))
    assert {await who(world) for _ in range(4)} == {"127.244.0.1", "127.244.0.2"}
    reader, writer = await world.connect(80)
    writer.write(b"x" * 3_000_000)
    writer.write_eof()
    await reader.readline()
    assert await reader.read(-1) == b"X" * 3_000_000


async def test_affinity_holds_until_the_endpoint_goes(world: World) -> None:
    """Covers S07."""
    port = await name(world, "127.244.0.1")
    await name(world, "127.244.0.2", port)
    world.objects.put(service(sessionAffinity="ClientIP"))
    world.objects.put(slice_of("web", "127.244.0.1", "127.244.0.2", port=port))
    first = await who(world)
    assert {await who(world) for _ in range(4)} == {first}
    other = "127.244.0.2" if first == "127.244.0.1" else "127.244.0.1"
    world.objects.put(slice_of("web", other, port=port))
    assert await who(world) == other


async def test_an_endpoint_that_refuses_is_passed_over_and_none_is_a_reset(world: World) -> None:
    """Covers S16."""
    port = await name(world, "127.244.0.1")
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.9", "127.244.0.1", port=port))
    for _ in range(3):
        assert await who(world) == "127.244.0.1"
    world.objects.put(slice_of("web"))
    with pytest.raises(ConnectionResetError):
        await who(world)


async def test_connections_outlive_their_endpoints_turn_and_their_service(world: World) -> None:
    port = await name(world, "127.244.0.1")
    web = service()
    world.objects.put(web)
    world.objects.put(slice_of("web", "127.244.0.1", port=port))
    reader, writer = await world.connect(80)
    await reader.readline()
    world.objects.put(slice_of("web"))
    world.objects.delete(web)
    writer.write(b"still here")
    writer.write_eof()
    assert await reader.read(-1) == b"STILL HERE"


async def test_a_node_port_is_on_the_host_and_goes_with_its_service(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    port = await name(world, "127.244.0.1")
    web = service(type="NodePort", ports=[{"port": 80, "nodePort": free}])
    world.objects.put(web)
    world.objects.put(slice_of("web", "127.244.0.1", port=port))

    async def line() -> bytes:
        with contextlib.suppress(ConnectionError):
            reader, _ = await world.open("127.0.0.1", free)
            return await reader.readline()
        return b""

    async with asyncio.timeout(5):
        while await line() != b"127.244.0.1\n":
            await asyncio.sleep(0.01)
        world.objects.delete(web)
        while await line():
            await asyncio.sleep(0.01)


class _Shout(asyncio.DatagramProtocol):
    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.upper(), addr)


async def test_udp_services_answer(world: World) -> None:
    loop = asyncio.get_running_loop()
    pod, _ = await loop.create_datagram_endpoint(_Shout, local_addr=("127.244.0.1", 0))
    world.objects.put(service(ports=[{"port": 5000, "protocol": "UDP"}]))
    world.objects.put(slice_of("web", "127.244.0.1", port=pod.get_extra_info("sockname")[1]))
    place = ("UDP", SERVICE_IP, 5000)
    await world.until(lambda: place in world.network.ports)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (SERVICE_IP, world.network.ports[place]))
        for word in (b"one", b"two"):
            await loop.sock_sendall(sock, word)
            assert await asyncio.wait_for(loop.sock_recv(sock, 100), 5) == word.upper()
    pod.close()


async def test_a_port_that_is_taken_is_named(world: World) -> None:
    """An Ingress port is fatal and says which flag to use; a Service's is a problem, and the rest goes on."""
    taken = int(world.proxy.http_url.rpartition(":")[2])
    with pytest.raises(ReconcilerError, match=f"port {taken} on 127.0.0.1 is taken.*--http-port"):
        await world.make(http_port=taken).run()
    world.network.fails.add(81)
    web = service(ports=[{"name": "a", "port": 81}, {"name": "b", "port": 80}])
    world.objects.put(web)
    await world.until(lambda: bool(world.proxy.problems()))
    assert any("127.96.0.1:81" in problem for problem in world.proxy.problems())
    await world.connect(80)
    world.objects.delete(web)
    assert world.proxy.problems() == []


async def test_dns_that_cannot_be_served_is_a_problem_and_not_the_end() -> None:
    world = World()
    world.network.fails.add(53)
    running = asyncio.create_task(world.proxy.run())
    async with asyncio.timeout(5):
        await world.proxy.ready.wait()
    assert any(p.startswith("DNS: ") for p in world.proxy.problems())
    assert (await world.ask(b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await world.close()


async def test_tls_by_host_name_and_renewed_without_a_restart(world: World, tmp_path: Path) -> None:
    """I13: the Secret's certificate for its host, at once when it changes; the default one for the others."""

    def secret() -> tuple[bytes, dict[str, Any]]:
        certificate, key = self_signed(1_790_000_000)
        data = {
            "tls.crt": base64.b64encode(certificate).decode(),
            "tls.key": base64.b64encode(key).decode(),
        }
        meta = {"namespace": "default", "name": "cert"}
        return certificate, {"kind": "Secret", "metadata": meta, "data": data}

    async def shown(host: str) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        port = int(world.proxy.https_url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=host
        )
        world._open.append(writer)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 ")
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return ssl.DER_cert_to_PEM_cert(der).strip()

    world.objects.put(
        ingress(("a.test", "/", "Prefix", "web"), tls=[{"hosts": ["a.test"], "secretName": "cert"}])
    )
    default = await shown("a.test")
    for _ in range(2):
        certificate, obj = secret()
        world.objects.put(obj)
        assert await shown("a.test") == certificate.decode().strip() != default
        assert await shown("b.test") == default
    world.objects.put(
        {**obj, "metadata": dict(obj["metadata"]), "data": {"tls.crt": "x", "tls.key": None}}
    )
    assert await shown("a.test") == default


async def says_who(world: World, address: str, port: int = 0, greeting: bytes = b"") -> int:
    """Start a Pod that answers each request with its address and keeps the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = address.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    return await world.pod(address, serve, port)


async def test_the_next_request_of_a_kept_connection_goes_where_requests_go_now(
    world: World,
) -> None:
    """A kept-alive client of a Service outlives the Pod that it was joined to."""
    port = await says_who(world, "127.244.0.1")
    await says_who(world, "127.244.0.2", port)
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.1", port=port))
    reader, writer = await world.connect(80)

    async def ask() -> str:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            return (await reader.readexactly(int(head.split()[-1]))).decode()

    assert await ask() == "127.244.0.1"
    world.objects.put(slice_of("web", "127.244.0.2", port=port))
    assert await ask() == "127.244.0.2"
    async with asyncio.timeout(5):
        assert await world.proxy.flows.settled("127.244.0.1", 5)
    assert await ask() == "127.244.0.2"


async def test_a_connection_that_is_not_http_stays_with_its_endpoint(world: World) -> None:
    port = await says_who(world, "127.244.0.1", greeting=b"220 ready\r\n")
    await says_who(world, "127.244.0.2", port, greeting=b"220 ready\r\n")
    world.objects.put(service())
    world.objects.put(slice_of("web", "127.244.0.1", port=port))
    reader, writer = await world.connect(80)
    await reader.readline()
    for moved in (False, True):
        if moved:
            world.objects.put(slice_of("web", "127.244.0.2", port=port))
        writer.write(b"MAIL FROM:<GET / HTTP/1.1>\r\n\r\n")
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert (await reader.readexactly(int(head.split()[-1]))) == b"127.244.0.1"
