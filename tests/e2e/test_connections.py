"""Connections that are open while everything around them is exchanged: what was begun is finished, what stays is kept.

Beside the requests of ``test_zero_downtime`` there are four kinds of long conversations, two with each Pod: a WebSocket through Ingress, a
request through Ingress whose body is still being sent, a download and a dialogue over plain TCP through a Service. The workload
dies at SIGTERM at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.zero_downtime import Load
from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

SERVER = """
import asyncio, os, re
name = os.environ["HOSTNAME"].encode()
async def http(reader, writer):
    while True:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        if b"upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
            await echo(reader, writer)
            return
        size = re.search(rb"(?i)content-length: (\\d+)", head)
        body = await reader.readexactly(int(size[1])) if size else b""
        answer = name + b" %d" % len(body)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(answer), answer))
async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(name + b" " + line)
    writer.close()
async def raw(reader, writer):
    if await reader.readline() == b"echo\\n":
        return await echo(reader, writer)
    for _ in range(50):
        writer.write(b"x" * 65536)
        await writer.drain()
        await asyncio.sleep(0.08)
    writer.close()
async def main():
    await asyncio.start_server(http, "0.0.0.0", 8080, backlog=128)
    server = await asyncio.start_server(raw, "0.0.0.0", 9000, backlog=128)
    await server.serve_forever()
asyncio.run(main())
"""

#: What a download sends.
DOWNLOAD = 50 * 65536
#: How long a conversation goes on, in seconds, and a Pod's grace period.
TALK, GRACE = 4.0, 12

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: talk}}
data: {{greeting: "{greeting}"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: talk}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: talk}}}}
  template:
    metadata: {{labels: {{app: talk}}}}
    spec:
      terminationGracePeriodSeconds: {grace}
      containers:
        - name: talk
          image: python:3.12
          command: [python3, -c, {server}]
          env: [{{name: REVISION, value: "{revision}"}}]
          envFrom: [{{configMapRef: {{name: talk}}}}]
          ports: [{{name: http, containerPort: 8080}}, {{name: raw, containerPort: 9000}}]
          readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: talk}}
spec:
  type: NodePort
  selector: {{app: talk}}
  ports: [{{name: http, port: 80, targetPort: http}}, {{name: raw, port: 9000, targetPort: raw}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: talk}}
spec: {{defaultBackend: {{service: {{name: talk, port: {{name: http}}}}}}}}
"""


class Site:
    """The workload on a machine, and what can happen to it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.folder = machine.work / "deploy"
        self.folder.mkdir()
        self.values = {"replicas": 2, "revision": 0, "greeting": "hello", "grace": GRACE}
        self.write()

    def write(self, **values: object) -> None:
        self.values.update(values)
        beside = self.folder / ".new"
        beside.write_text(MANIFEST.format(server=json.dumps(SERVER), **self.values))
        beside.rename(self.folder / "talk.yaml")

    def ports(self) -> tuple[int, int, int]:
        """Return the host's ports of Ingress, of HTTP and of plain TCP."""
        service = self.machine.json("get", "service", "talk")
        http, raw = (int(p["nodePort"]) for p in service["spec"]["ports"])
        return int(self.machine.ingress().rpartition(":")[2]), http, raw

    def until_rolled(self) -> None:
        def rolled() -> Any:
            found = self.machine.json("get", "deployment", "talk")
            status, wanted = found.get("status", {}), self.values["replicas"]
            return (
                status.get("observedGeneration") == found["metadata"]["generation"]
                and found["spec"]["replicas"] == wanted
                and status.get("updatedReplicas") == status.get("availableReplicas") == wanted
                and status.get("replicas") == wanted
            )

        eventually(rolled, 60)

    def pods(self) -> set[str]:
        return {p["metadata"]["name"] for p in self.machine.pods()}

    # -- what happens --------------------------------------------------------------------------------------------

    def rollout(self) -> None:
        before = self.pods()
        self.write(revision=int(str(self.values["revision"])) + 1)
        eventually(lambda: self.pods().isdisjoint(before), 60)

    def scale_down(self) -> None:
        self.write(replicas=1)
        eventually(lambda: len(self.pods()) == 1, 60)

    def config_roll(self) -> None:
        before = self.pods()
        self.write(greeting=f"{self.values['greeting']}!")
        eventually(lambda: self.pods().isdisjoint(before), 60)

    def daemon_killed(self) -> None:
        os.kill(self.machine.daemon_pid(), signal.SIGKILL)
        self.machine.up(self.folder)

    def proxy_replaced(self) -> None:
        """Another HTTPS port needs another proxy, as another version does; all other ports stay."""
        before = self.machine.json("status")["ingress"]
        os.kill(self.machine.daemon_pid(), signal.SIGKILL)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.machine.up(self.folder, "--https-port", str(port))
        now = self.machine.json("status")["ingress"]
        assert now["http"] == before["http"]
        assert now["https"] != before["https"]

    def supervisor_killed(self) -> None:
        os.kill(supervisor(self.machine.state), signal.SIGKILL)
        eventually(lambda: supervisor(self.machine.state), 30)


def supervisor(state: Path) -> int:
    """Return the pid of a state directory's supervisor."""
    (found,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/comm")
        if path.read_text().startswith("reconciler-sup")
        and str(state / "runtime").encode() in path.with_name("cmdline").read_bytes().split(b"\0")
    ]
    return found


# -- conversations: each returns when it is over, and raises when it was cut ------------------------------------------


async def websocket(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: talk\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head, head
    await dialogue(reader, writer)


async def post(port: int) -> None:
    """Send a body slowly, on a connection that has answered before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for pause in (0.0, TALK / 20):
        writer.write(b"POST / HTTP/1.1\r\nHost: talk\r\nContent-Length: 20000\r\n\r\n")
        for _ in range(20):
            writer.write(b"y" * 1000)
            await writer.drain()
            await asyncio.sleep(pause)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        assert (await reader.readexactly(length)).endswith(b" 20000")
    writer.close()


async def download(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"download\n")
    got = len(await reader.read(-1))
    writer.close()
    assert got == DOWNLOAD, f"{got} of {DOWNLOAD} bytes"


async def echo(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"echo\n")
    await dialogue(reader, writer)


async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pods = set()
    for number in range(int(TALK / 0.2)):
        writer.write(b"%d\n" % number)
        answer = await reader.readline()
        assert answer.endswith(b" %d\n" % number), f"{answer!r} to {number}"
        pods.add(answer.split()[0])
        await asyncio.sleep(0.2)
    writer.close()
    assert len(pods) == 1


async def through(site: Site, happens: Callable[[], None]) -> list[str]:
    """Let something happen while all talk; returns what broke."""
    ingress, http, raw = await asyncio.to_thread(site.ports)
    load = Load()
    asking = [
        asyncio.create_task(load.client(f"{where}, kept={keep}", port, keep=keep))
        for where, port in (("Ingress", ingress), ("Service", http))
        for keep in (True, False)
    ]
    talks: dict[str, Callable[[], Awaitable[None]]] = {
        "websocket": lambda: websocket(ingress),
        "post": lambda: post(ingress),
        "download": lambda: download(raw),
        "echo": lambda: echo(raw),
    }
    talking = {
        f"{name} {number}": asyncio.ensure_future(talk())
        for name, talk in talks.items()
        for number in range(4)
    }
    await asyncio.sleep(0.5)
    await asyncio.to_thread(happens)
    await asyncio.wait(talking.values())
    load.over = True
    await asyncio.gather(*asking)
    assert load.answered > 50
    broken = [f"{name}: {task.exception()!r}" for name, task in talking.items() if task.exception()]
    return broken + [f"{count} x {what}" for what, count in load.failed.items()]


def test_nothing_that_is_under_way_is_cut(machine: Machine) -> None:
    site = Site(machine)
    machine.up(site.folder)
    broken: dict[str, list[str]] = {}
    for happens in (
        site.rollout,
        site.config_roll,
        site.daemon_killed,
        site.supervisor_killed,
        site.proxy_replaced,
        site.scale_down,
    ):
        if found := asyncio.run(through(site, happens)):
            broken[happens.__name__] = found
        site.until_rolled()
    assert not broken


def test_a_websocket_that_stays_is_cut_by_its_grace_period_and_not_before(machine: Machine) -> None:
    site = Site(machine)
    site.write(replicas=1, grace=6)
    machine.up(site.folder)
    ingress, _, _ = site.ports()

    async def stay() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", ingress)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: talk\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        leaving = asyncio.create_task(asyncio.to_thread(left))
        talked = 0
        while True:
            writer.write(b"%d\n" % talked)
            if not await reader.readline():
                break
            talked += leaving.done()
            await asyncio.sleep(0.1)
        writer.close()
        await leaving
        return talked / 10

    (pod,) = site.pods()

    def left() -> None:
        site.write(revision=1)
        eventually(lambda: pod not in site.pods())

    assert asyncio.run(stay()) >= 1
    eventually(lambda: machine.run("get", "pod", pod, check=None).returncode == 1)
