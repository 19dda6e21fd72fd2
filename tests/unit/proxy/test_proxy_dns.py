"""Cluster DNS: the wire format, the names, and the server on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.clock import SeededEntropy
from reconciler.proxy import dns, message
from reconciler.proxy.message import AAAA, CNAME, PTR, SRV, A, BadQuery, Record
from reconciler.proxy.names import ClusterNames
from reconciler.proxy.table import RoutingTable
from tests.unit.proxy.conftest import DNS_IP, service, slice_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.proxy import Proxy
    from tests.unit.proxy.conftest import World

DOMAIN = "cluster.local"


@pytest.fixture
def table() -> RoutingTable:
    made = RoutingTable()
    ports = [{"name": "http", "port": 80}]
    made.set_service(("default", "web"), service(ports=ports))
    made.set_service(("default", "db"), service("db", clusterIP="None", ports=ports))
    made.set_service(
        ("default", "out"),
        service("out", type="ExternalName", externalName="a.example", clusterIP=""),
    )
    made.set_service(
        ("default", "in"),
        service(
            "in", type="ExternalName", externalName="web.default.svc.cluster.local", clusterIP=""
        ),
    )
    endpoints = [
        {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.244.0.6"], "hostname": "db-1", "conditions": {"ready": True}},
        {"addresses": ["10.244.0.7"], "hostname": "db-2", "conditions": {"ready": False}},
    ]
    made.set_slice(
        ("default", "db"), "db-x", slice_of("db", *endpoints, port=5432, port_name="http")
    )
    return made


def look_up(table: RoutingTable, name: str, kind: int = A) -> list[object] | None:
    """Return the values of a name's records; None where it does not exist."""
    names = ClusterNames(table, DOMAIN)
    assert names.is_ours(name)
    found = names.look_up(name, kind)
    return sorted((r.value for r in found.records), key=str) if found.exists else None


def test_a_service_has_its_address(table: RoutingTable) -> None:
    """Covers S18."""
    assert look_up(table, "web.default.svc.cluster.local") == ["127.96.0.1"]
    assert look_up(table, "web.default.svc.cluster.local", AAAA) == []
    assert look_up(table, "gone.default.svc.cluster.local") is None
    assert look_up(table, "web.other.svc.cluster.local") is None


def test_a_headless_service_has_its_ready_pods(table: RoutingTable) -> None:
    """Covers S19 SS25."""
    assert look_up(table, "db.default.svc.cluster.local") == ["10.244.0.5", "10.244.0.6"]
    assert look_up(table, "db-1.db.default.svc.cluster.local") == ["10.244.0.6"]
    assert look_up(table, "db-2.db.default.svc.cluster.local") is None


def test_a_headless_service_that_publishes_all_has_them_all(table: RoutingTable) -> None:
    """A StatefulSet's Pods find each other before they are ready. Covers S19."""
    table.set_service(
        ("default", "db"), service("db", clusterIP="None", publishNotReadyAddresses=True)
    )
    assert look_up(table, "db-2.db.default.svc.cluster.local") == ["10.244.0.7"]
    assert len(look_up(table, "db.default.svc.cluster.local") or ()) == 3


def test_ports(table: RoutingTable) -> None:
    """A headless Service's port is the Pods' own. Covers S20."""
    assert look_up(table, "_http._tcp.web.default.svc.cluster.local", SRV) == [
        (0, 100, 80, "web.default.svc.cluster.local")
    ]
    assert look_up(table, "_http._tcp.db.default.svc.cluster.local", SRV) == [
        (0, 100, 5432, "db-0.db.default.svc.cluster.local"),
        (0, 100, 5432, "db-1.db.default.svc.cluster.local"),
    ]
    assert look_up(table, "_http._udp.web.default.svc.cluster.local", SRV) is None


def test_pods_by_address_and_addresses_by_name(table: RoutingTable) -> None:
    assert look_up(table, "10-244-0-5.default.pod.cluster.local") == ["10.244.0.5"]
    assert look_up(table, "nonsense.default.pod.cluster.local") is None
    assert look_up(table, "1.0.96.127.in-addr.arpa", PTR) == ["web.default.svc.cluster.local"]
    assert look_up(table, "5.0.244.10.in-addr.arpa", PTR) == ["db-0.db.default.svc.cluster.local"]
    names = ClusterNames(table, DOMAIN)
    assert not names.is_ours("1.1.1.1.in-addr.arpa")
    table.set_service(("default", "web"), None)
    assert not names.is_ours("1.0.96.127.in-addr.arpa")


def read(data: bytes) -> tuple[int, int, list[Record]]:
    """Return an answer's code, its flags, and its A and CNAME records."""
    (flags,) = struct.unpack("!H", data[2:4])
    return flags & 15, flags, message.parse_addresses(data)


async def resolve(
    table: RoutingTable, name: str, kind: int = A, servers: list[str] | None = None, port: int = 53
) -> tuple[int, int, list[Record]]:
    resolver = dns.Resolver(
        ClusterNames(table, DOMAIN), SeededEntropy(), lambda: servers or [], port=port
    )
    answer = await resolver.answer(message.make_query(7, name, kind))
    assert answer is not None
    assert answer[:2] == b"\0\x07"
    return read(answer)


async def test_what_is_not_there_is_nxdomain_and_what_has_no_such_record_nodata(
    table: RoutingTable,
) -> None:
    assert (await resolve(table, "gone.default.svc.cluster.local"))[0] == message.NXDOMAIN
    code, _, records = await resolve(table, "web.default.svc.cluster.local", AAAA)
    assert (code, records) == (message.NOERROR, [])


async def test_an_answer_too_large_for_the_client_is_marked_as_cut(table: RoutingTable) -> None:
    many = slice_of("db", *(f"10.244.1.{n}" for n in range(80)), port_name="http")
    table.set_slice(("default", "db"), "db-y", many)
    name = "db.default.svc.cluster.local"
    _, flags, records = await resolve(table, name)
    assert flags & 0x0200
    assert len(records) < 40
    resolver = dns.Resolver(ClusterNames(table, DOMAIN), SeededEntropy(), list)
    query = message.make_query(7, name, A)
    opt = query[:10] + b"\0\1" + query[12:] + b"\0\0\x29\x10\0" + b"\0" * 6
    larger = await resolver.answer(opt)
    whole = await resolver.answer(query, stream=True)
    assert larger is not None
    assert whole is not None
    assert len(records) < len(read(larger)[2]) <= 82
    assert len(larger) <= message.LARGEST_UDP
    assert len(read(whole)[2]) == 82


async def test_an_alias_inside_the_cluster_comes_with_its_address(table: RoutingTable) -> None:
    """Covers S21."""
    _, _, records = await resolve(table, "in.default.svc.cluster.local")
    assert [(r.type, r.value) for r in records] == [
        (CNAME, "web.default.svc.cluster.local"),
        (A, "127.96.0.1"),
    ]


class _Elsewhere(asyncio.DatagramProtocol):
    """The host's name server: every name is 192.0.2.1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = message.parse_query(data)
        answer = message.answer(query, [Record(query.name, A, "192.0.2.1", 60)])
        self.transport.sendto(answer, addr)


@pytest.fixture
async def elsewhere() -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Elsewhere, local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


async def test_other_names_are_the_hosts_to_answer(table: RoutingTable, elsewhere: int) -> None:
    _, _, records = await resolve(table, "a.example", A, ["127.0.0.1"], elsewhere)
    assert [r.value for r in records] == ["192.0.2.1"]
    _, _, records = await resolve(
        table, "out.default.svc.cluster.local", A, ["127.0.0.1"], elsewhere
    )
    assert [(r.name, r.type, r.value) for r in records] == [
        ("out.default.svc.cluster.local", CNAME, "a.example"),
        ("a.example", A, "192.0.2.1"),
    ]
    assert (await resolve(table, "a.example"))[0] == message.SERVFAIL


def test_the_hosts_servers_are_read_anew_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    servers = dns.HostServers(file)
    assert servers() == []
    file.write_text("search x\nnameserver 192.0.2.1\n")
    assert servers() == ["192.0.2.1"]
    file.write_text("# moved\nnameserver 192.0.2.77\noptions ndots:5\n")
    assert servers() == ["192.0.2.77"]


async def test_names_are_served_over_udp_and_tcp(world: World) -> None:
    world.objects.put(service())
    query = message.make_query(7, "WEB.default.svc.cluster.local", A)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (DNS_IP, world.network.ports["UDP", DNS_IP, 53]))
        await loop.sock_sendall(sock, b"rubbish")
        await loop.sock_sendall(sock, query)
        answer = await asyncio.wait_for(loop.sock_recv(sock, 2000), 5)
    assert [r.value for r in read(answer)[2]] == ["127.96.0.1"]
    reader, writer = await world.open(DNS_IP, world.network.ports["TCP", DNS_IP, 53])
    for _ in range(2):
        writer.write(struct.pack("!H", len(query)) + query)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        assert [r.value for r in read(await reader.readexactly(size))[2]] == ["127.96.0.1"]


labels = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=20)  # fmt: skip


@given(st.lists(labels, max_size=8), st.integers(0, 65535), st.integers(0, 65535))
def test_a_query_is_read_as_it_was_written(parts: list[str], number: int, kind: int) -> None:
    query = message.parse_query(message.make_query(number, ".".join(parts), kind))
    assert (query.id, query.name, query.type) == (number, ".".join(parts).lower(), kind)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_query_or_refused(data: bytes) -> None:
    for made in (data, b"\0\1\1\0\0\1\0\0\0\0\0\1" + data):
        with contextlib.suppress(BadQuery):
            query = message.parse_query(made)
            names = ClusterNames(RoutingTable(), DOMAIN)
            names.look_up(query.name, query.type)
            names.look_up(query.name + "." + DOMAIN, query.type)
            message.answer(query, [Record(query.name, A, "1.2.3.4")])
        with contextlib.suppress(BadQuery):
            message.parse_addresses(made)


@given(
    st.lists(st.tuples(st.lists(labels, min_size=1, max_size=5), st.ip_addresses(v=4)), max_size=10)
)
def test_an_answer_is_read_as_it_was_written(found: list[tuple[list[str], object]]) -> None:
    query = message.parse_query(message.make_query(1, "a.b", A))
    records = [Record(".".join(parts), A, str(address)) for parts, address in found]
    assert message.parse_addresses(message.answer(query, records)) == records


async def test_names_are_served_on_the_host_too_where_the_port_can_be_had(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "127.201.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((address, 0))
        monkeypatch.setattr("reconciler.proxy.proxy.DNS_PORT", held.getsockname()[1])
        without = world.make(host_dns=address)
        task = asyncio.create_task(without.run())
        await asyncio.wait_for(without.ready.wait(), 5)
        assert (without.dns_on_host, without.problems()) == ("", [])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    proxy = world.make(host_dns=address)
    task = asyncio.create_task(proxy.run())
    await asyncio.wait_for(proxy.ready.wait(), 5)
    assert proxy.dns_on_host == address
    world.objects.put(service())
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (address, held_port(proxy)))
        await loop.sock_sendall(sock, message.make_query(7, "web.default.svc.cluster.local", A))
        answer = await asyncio.wait_for(loop.sock_recv(sock, 2000), 5)
    assert [r.value for r in read(answer)[2]] == ["127.96.0.1"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def held_port(proxy: Proxy) -> int:
    (name,) = (n for n in proxy.sockets.open() if n.startswith("dns-udp at "))
    return int(name.rpartition(":")[2])
