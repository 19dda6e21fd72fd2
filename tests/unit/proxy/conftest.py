"""A proxy on real loopback sockets: Services and Pods have 127.x addresses here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest

from reconciler.clock import SeededEntropy, SystemClock
from reconciler.errors import RuntimeFailure
from reconciler.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.control import InformerCache

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test here on each event loop that a proxy may run on."""
    del config, item
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    with contextlib.suppress(ImportError):
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories


SERVICE_IP = "127.96.0.1"
DNS_IP = "127.96.0.10"


class Loopback:
    """``cri.Network`` on this host's loopback. Ports below 1024 become any free one; ``ports`` says which."""

    service_cidr = "127.96.0.0/16"
    pod_cidr = "127.244.0.0/16"
    privileged_ports = True

    def __init__(self) -> None:
        self.ports: dict[tuple[str, str, int], int] = {}
        self.fails: set[int] = set()

    def _bound(self, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        if port in self.fails:
            raise RuntimeFailure(f"cannot bind {address}:{port}")
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, 0))
        protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        self.ports[protocol, address, port] = sock.getsockname()[1]
        return sock

    async def listen(self, address: str, port: int) -> socket.socket:
        sock = self._bound(socket.SOCK_STREAM, address, port)
        sock.listen(128)
        return sock

    async def datagram(self, address: str, port: int) -> socket.socket:
        return self._bound(socket.SOCK_DGRAM, address, port)

    async def sockets(self, count: int, *, datagram: bool = False) -> list[socket.socket]:
        made = [
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
            for _ in range(count)
        ]
        for sock in made:
            sock.setblocking(False)
        return made


class Objects:
    """The part of ``InformerCache`` that a proxy uses, filled by hand."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._callbacks: dict[str, list[Callable[[Object | None, Object | None], None]]] = {}
        self._revision = 0
        self.snapshot = self

    def subscribe(
        self, kind: Kind, callback: Callable[[Object | None, Object | None], None]
    ) -> None:
        self._callbacks.setdefault(kind.kind, []).append(callback)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get((kind.kind, namespace, name))

    def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        return [o for k, o in self._objects.items() if k[0] == kind.kind]

    def put(self, obj: Object) -> None:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        self._change(obj, obj)

    def delete(self, obj: Object) -> None:
        self._change(obj, None)

    def _change(self, obj: Object, new: Object | None) -> None:
        meta = obj["metadata"]
        place = (obj["kind"], meta.get("namespace", ""), meta["name"])
        old = self._objects.pop(place, None)
        if new is not None:
            self._objects[place] = new
        for callback in self._callbacks.get(obj["kind"], ()):
            callback(old, new)


def service(name: str = "web", port: int = 80, **spec: Any) -> Object:
    spec = {"clusterIP": SERVICE_IP, "ports": [{"port": port}], **spec}
    return {
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name, "creationTimestamp": "2026-01-01"},
        "spec": spec,
    }


def slice_of(
    name: str, *addresses: str | dict[str, Any], port: int = 8080, port_name: str = ""
) -> Object:
    endpoints = [
        a if isinstance(a, dict) else {"addresses": [a], "conditions": {"ready": True}}
        for a in addresses
    ]
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": f"{name}-x",
            "labels": {"kubernetes.io/service-name": name},
        },
        "endpoints": endpoints,
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


def ingress(
    *rules: tuple[str, str, str, str], name: str = "web", port: int | str = 80, **spec: Any
) -> Object:
    """Return an Ingress of (host, path, pathType, service) rules."""
    which = {"number": port} if isinstance(port, int) else {"name": port}
    listed = [
        {
            **({"host": host} if host else {}),
            "http": {
                "paths": [
                    {"path": path, "pathType": kind,
                     "backend": {"service": {"name": backend, "port": which}}}
                ]
            },
        }
        for host, path, kind, backend in rules
    ]  # fmt: skip
    return {
        "kind": "Ingress",
        "metadata": {"namespace": "default", "name": name, "creationTimestamp": "2026-01-01"},
        "spec": {"ingressClassName": "reconciler", "rules": listed, **spec},
    }


INGRESS_CLASS: Object = {
    "kind": "IngressClass",
    "metadata": {"name": "reconciler"},
    "spec": {"controller": "reconciler.dev/ingress"},
}


class World:
    """A proxy, its objects and its network; and Pods, which are servers on 127.244.x addresses."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.objects.put(INGRESS_CLASS)
        self.network = Loopback()
        self.proxy = self.make()
        self._pods: dict[str, asyncio.Server] = {}
        self._open: list[asyncio.StreamWriter] = []

    def make(self, **options: Any) -> Proxy:
        options = {"http_port": 0, "https_port": 0, "dns_address": DNS_IP, **options}
        return Proxy(
            cast("InformerCache", self.objects), self.network,
            clock=SystemClock(), entropy=SeededEntropy(), **options,
        )  # fmt: skip

    async def pod(self, address: str, serve: Serve, port: int = 0) -> int:
        """Start a Pod's server and return its port."""

        async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open.append(writer)
            with contextlib.suppress(asyncio.CancelledError):
                await serve(reader, writer)

        server = await asyncio.start_server(serving, address, port)
        self._pods[address] = server
        return int(server.sockets[0].getsockname()[1])

    def end_pod(self, address: str) -> None:
        self._pods[address].close()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.005)

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = int(self.proxy.http_url.rpartition(":")[2])
        return await self.open("127.0.0.1", port)

    async def open(
        self, address: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(address, port)
        self._open.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Leave nothing open."""
        for server in self._pods.values():
            server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def ask(self, request: bytes) -> bytes:
        """Send bytes, return all that comes until the end."""
        reader, writer = await self.client()
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await reader.read(-1)
        writer.close()
        return answer

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the Service's address, as a Pod would."""
        place = ("TCP", SERVICE_IP, port)
        await self.until(lambda: place in self.network.ports)
        return await self.open(SERVICE_IP, self.network.ports[place])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    running = asyncio.create_task(made.proxy.run())
    ready = asyncio.create_task(made.proxy.ready.wait())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await made.close()
