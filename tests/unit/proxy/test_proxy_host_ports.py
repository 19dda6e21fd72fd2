"""Ports of the host that Pods ask for: served through the proxy, and given up before the Pod ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.proxy.hostports import host_ports_of, wants_host_ports
from reconciler.proxy.link import _is_wanted, _lean
from reconciler.proxy.listeners import Endpoint, Listener
from reconciler.proxy.table import RoutingTable
from tests.unit.proxy.conftest import service

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from tests.unit.proxy.conftest import World


def pod(
    *ports: dict[str, Any], ip: str = "127.244.0.1", name: str = "web", born: str = "2026-01-02",
    **spec: Any,
) -> Object:  # fmt: skip
    container = {"name": "web", "ports": list(ports), "env": [{"name": "PASSWORD", "value": "x"}]}
    return {
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "creationTimestamp": born},
        "spec": {"containers": [container], **spec},
        "status": {"phase": "Running", "podIP": ip, "conditions": []},
    }


HTTP = {"containerPort": 80, "hostPort": 8080}


def listeners(obj: Object) -> set[Listener]:
    return set(host_ports_of(obj))


def test_a_pod_has_its_port_of_the_host_from_its_address_to_its_end() -> None:
    on_host = Listener("", 8080, "TCP", outside=True)
    running = pod(HTTP)
    assert listeners(running) == {on_host}
    assert [e for _, e in host_ports_of(running).values()] == [Endpoint("127.244.0.1", 80)]
    for change in ({"podIP": ""}, {"phase": "Failed"}):
        assert not listeners({**running, "status": {**running["status"], **change}})
    deleted = {**running["metadata"], "deletionTimestamp": "2026-01-03"}
    assert not listeners({**running, "metadata": deleted})


def test_protocols_addresses_and_sidecars() -> None:
    assert listeners(pod({**HTTP, "protocol": "UDP", "hostIP": "127.0.0.9"})) == {
        Listener("127.0.0.9", 8080, "UDP", outside=True)
    }
    assert listeners(pod({**HTTP, "hostIP": "0.0.0.0"})) == {
        Listener("", 8080, "TCP", outside=True)
    }
    sidecar = [{"name": "s", "restartPolicy": "Always", "ports": [HTTP]}]
    assert wants_host_ports(pod(initContainers=sidecar))
    assert not wants_host_ports(pod(initContainers=[{"name": "i", "ports": [HTTP]}]))


def test_a_pod_on_the_hosts_network_listens_by_itself() -> None:
    assert not wants_host_ports(pod(HTTP, hostNetwork=True))
    assert not wants_host_ports(pod({"containerPort": 80}))


def test_of_two_that_want_one_port_the_older_has_it_until_it_goes() -> None:
    table = RoutingTable()
    table.set_pod(("default", "new"), pod(HTTP, name="new", born="2026-01-03", ip="127.244.0.2"))
    table.set_pod(("default", "old"), pod(HTTP, name="old", born="2026-01-02"))
    on_host = Listener("", 8080, "TCP", outside=True)
    assert table.conflicts() == {on_host: (("default", "Pod/new"),)}
    port = table.behind(on_host)
    assert port is not None
    assert table.backends(port.key) == (Endpoint("127.244.0.1", 80),)
    change = table.set_pod(("default", "old"), None)
    assert not change.removed
    assert change.drained == {Endpoint("127.244.0.1", 80)}
    port = table.behind(on_host)
    assert port is not None
    assert table.backends(port.key) == (Endpoint("127.244.0.2", 80),)


def test_a_service_of_the_same_name_is_another() -> None:
    table = RoutingTable()
    table.set_service(("default", "web"), service())
    table.set_pod(("default", "web"), pod(HTTP))
    assert len(table.listeners()) == 2
    table.set_pod(("default", "web"), None)
    assert len(table.listeners()) == 1


def test_the_proxy_is_told_of_such_pods_only_and_not_what_they_run() -> None:
    """A proxy needs no environment of anybody's."""
    assert not _is_wanted(pod())
    assert _is_wanted(pod(HTTP))
    lean = _lean(pod(HTTP))
    assert "PASSWORD" not in str(lean)
    assert host_ports_of(lean) == host_ports_of(pod(HTTP))


async def test_connections_to_the_host_reach_the_pod(world: World, unused_tcp_port: int) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    target = await world.pod("127.244.0.1", greet)
    obj = pod({"containerPort": target, "hostPort": unused_tcp_port})
    world.objects.put(obj)

    async def ask() -> bytes:
        try:
            reader, _ = await world.open("127.0.0.1", unused_tcp_port)
            return await reader.read(-1)
        except ConnectionError:
            return b"refused"

    async with asyncio.timeout(10):
        while await ask() != b"hello":
            await asyncio.sleep(0.01)
        deleted = {**obj["metadata"], "deletionTimestamp": "2026-01-03"}
        world.objects.put({**obj, "metadata": deleted})
        while await ask() != b"refused":
            await asyncio.sleep(0.01)


async def test_a_port_that_somebody_else_has_is_a_problem_that_says_which(
    world: World, unused_tcp_port: int
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    taken = await asyncio.start_server(silent, "127.0.0.1", unused_tcp_port)
    world.objects.put(pod({"containerPort": 80, "hostPort": unused_tcp_port}))
    await world.until(lambda: bool(world.proxy.problems()))
    (told,) = world.proxy.problems()
    assert f"TCP the host:{unused_tcp_port}" in told
    assert "is taken" in told
    taken.close()
