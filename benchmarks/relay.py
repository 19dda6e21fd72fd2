"""What a request costs the proxy: through Ingress and through a Service, on kept and on fresh connections, on each event loop.

    python benchmarks/relay.py [SECONDS]

The proxy, the Pod and the clients are processes of their own. What counts is the proxy's CPU time: the clients take their share of a
small machine. A row is one way of asking on one event loop, for SECONDS (3) each.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 16
POD, SERVICE = "127.244.77.1", "127.96.77.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n"
GET = b"GET / HTTP/1.1\r\nHost: web\r\nUser-Agent: relay\r\nAccept: */*\r\n"


class Row(NamedTuple):
    """Requests answered, in how many seconds, for how much of the proxy's CPU time (seconds)."""

    loop: str
    way: str
    kept: bool
    requests: int
    seconds: float
    cpu: float

    @property
    def cost(self) -> float:
        """Microseconds of CPU a request."""
        return self.cpu / self.requests * 1e6


class Host:
    """``cri.Network`` on the host's loopback."""

    pod_cidr, service_cidr, privileged_ports = "127.244.0.0/16", "127.96.0.0/16", True

    async def listen(self, address: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setblocking(False)
        sock.bind((address, 0 if port < 1024 else port))
        sock.listen(1024)
        return sock

    async def datagram(self, address: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((address, 0 if port < 1024 else port))
        return sock

    async def sockets(self, count: int, *, datagram: bool = False) -> list[socket.socket]:
        kind = socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM
        made = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
        for sock in made:
            sock.setblocking(False)
        return made


def objects(pod_port: int, service_port: int) -> list[dict[str, object]]:
    """Return a Service of one Pod, and an Ingress in front of it."""
    meta = {"namespace": "default", "name": "web", "creationTimestamp": "2026-01-01"}
    ready = {"addresses": [POD], "conditions": {"ready": True}}
    port = {"name": "", "port": pod_port, "protocol": "TCP"}
    backend = {"service": {"name": "web", "port": {"number": service_port}}}
    return [
        {"kind": "IngressClass", "metadata": {"name": "reconciler"}, "spec": {"controller": "reconciler.dev/ingress"}},
        {"kind": "Service", "metadata": meta, "spec": {"clusterIP": SERVICE, "ports": [{"port": service_port}]}},
        {"kind": "EndpointSlice", "metadata": {**meta, "labels": {"kubernetes.io/service-name": "web"}},
         "endpoints": [ready], "ports": [port]},
        {"kind": "Ingress", "metadata": meta, "spec": {"ingressClassName": "reconciler", "defaultBackend": backend}},
    ]  # fmt: skip


async def proxy(pod_port: int, service_port: int) -> None:
    """Be the proxy."""
    from reconciler.clock import SystemClock, SystemEntropy
    from reconciler.proxy import Proxy
    from reconciler.proxy.mirror import Mirror

    mirror = Mirror(Proxy.KINDS)
    mirror.replace(objects(pod_port, service_port))
    made = Proxy(
        mirror, Host(), clock=SystemClock(), entropy=SystemEntropy(), http_port=0, https_port=0,
        dns_address="127.96.77.10",
    )  # fmt: skip
    running = asyncio.create_task(made.run())
    await made.ready.wait()
    sys.stdout.write(made.http_url.rpartition(":")[2] + "\n")
    sys.stdout.flush()
    await running


class Pod(asyncio.Protocol):
    """Answers every request the same."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def pod() -> None:
    """Be the Pod."""
    server = await asyncio.get_running_loop().create_server(Pod, POD, 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def load(address: str, port: int, *, kept: bool, seconds: float) -> int:
    """Ask from several clients for some seconds; returns how many answers came. Raises ``ValueError`` for a wrong one."""
    deadline = time.monotonic() + seconds
    request = GET + (b"\r\n" if kept else b"Connection: close\r\n\r\n")

    async def client() -> int:
        answered = 0
        while time.monotonic() < deadline:
            reader, writer = await asyncio.open_connection(address, port)
            while time.monotonic() < deadline:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                if (
                    not head.startswith(b"HTTP/1.1 200")
                    or await reader.readexactly(12) != ANSWER[-12:]
                ):
                    raise ValueError(head)
                answered += 1
                if not kept:
                    break
            writer.close()
        return answered

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


def loop_factory(name: str) -> type[asyncio.AbstractEventLoop]:
    """Return a kind of event loop by its module's name."""
    if name == "uvloop":
        import uvloop

        return uvloop.Loop
    return asyncio.SelectorEventLoop


@contextlib.contextmanager
def part(loop: str, name: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start this file as one of its parts; yields (the process, the port it says)."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--part", loop, name, *map(str, arguments)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def cpu_of(pid: int) -> float:
    """Return a process's CPU time, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float, loops: list[str]) -> list[Row]:
    """Measure every way of asking on every loop."""
    rows: list[Row] = []
    with socket.socket() as free:
        free.bind((SERVICE, 0))
        service_port = free.getsockname()[1]
    fastest = loops[-1]
    with part(fastest, "pod") as (_, pod_port):
        for loop in loops:
            with part(loop, "proxy", pod_port, service_port) as (process, ingress_port):
                for way, address, port in (
                    ("Ingress", "127.0.0.1", ingress_port),
                    ("Service", SERVICE, service_port),
                ):
                    for kept in (True, False):
                        ask = lambda span: load(address, port, kept=kept, seconds=span)  # noqa: B023,E731
                        with asyncio.Runner(loop_factory=loop_factory(fastest)) as runner:
                            runner.run(ask(0.3))
                            before, began = cpu_of(process.pid), time.monotonic()
                            requests = runner.run(ask(seconds))
                        rows.append(
                            Row(
                                loop, way, kept, requests, time.monotonic() - began,
                                cpu_of(process.pid) - before,
                            )
                        )  # fmt: skip
    return rows


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    loops = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]
    for row in measure(seconds, loops):
        print(json.dumps({
            "loop": row.loop, "through": row.way, "connections": "kept" if row.kept else "fresh",
            "requests a second": round(row.requests / row.seconds),
            "CPU microseconds a request": round(row.cost, 1),
            "requests a CPU second": round(1e6 / row.cost),
        }))  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        _, _, loop_name, what, *rest = sys.argv
        parts = {"proxy": proxy, "pod": pod}
        with asyncio.Runner(loop_factory=loop_factory(loop_name)) as one:
            one.run(parts[what](*map(int, rest)))
    else:
        main()
