"""Requests that fail while a Deployment rolls and scales and its daemon is killed: none should.

    python benchmarks/zero_downtime.py [REQUESTS]

Four kinds of clients ask without a pause through Ingress and through a Service's node port, on connections that are kept
and on fresh ones; meanwhile manifests are edited (a rollout, then another number of replicas) and the daemon is killed
with -9 and started again: 20 rollouts, 20 scalings and 10 kills for 100,000 requests. The workload does nothing for it: it
dies at SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

#: Requests for one round of a rollout, a scaling and (every second round) a kill.
ROUND = 5_000
CLIENTS = 4
#: A client rests so long between two requests, in seconds: the machine has to roll as well.
REST = 0.01

SERVER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = os.environ["HOSTNAME"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

Server(("0.0.0.0", 8080), Handler).serve_forever()
"""

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: python:3.12
          command: [python3, -c, {server}]
          env: [{{name: REVISION, value: "{revision}"}}]
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: http}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""


class Outcome(NamedTuple):
    """What came of it. ``failed`` counts by kind of client and error."""

    answered: int
    failed: Counter[str]
    seconds: float
    rollouts: int
    scalings: int
    kills: int


class Site:
    """A state directory, its manifests and its command line."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.deploy = folder / "deploy"
        self.deploy.mkdir()
        self.revision, self.replicas = 0, 3
        self.write()

    def write(self) -> None:
        text = MANIFEST.format(
            replicas=self.replicas, revision=self.revision, server=json.dumps(SERVER)
        )
        beside = self.deploy / ".new"
        beside.write_text(text)
        beside.rename(self.deploy / "web.yaml")

    def run(self, *arguments: str) -> str:
        argv = [sys.executable, "-m", "reconciler", "--state-dir", str(self.state), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def up(self, *, wait: bool) -> None:
        ports = ("--http-port", "0", "--https-port", "0")
        self.run("up", str(self.deploy), "--detach", *(("--wait",) if wait else ()), *ports)

    def kill(self) -> None:
        os.kill(int((self.state / "daemon.lock").read_text().split()[0]), signal.SIGKILL)

    def ports(self) -> tuple[int, int]:
        """Return the Ingress's port and the Service's on the host."""
        status = json.loads(self.run("status", "-o", "json"))
        service = json.loads(self.run("get", "service", "web", "-o", "json"))
        url = status["ingress"]["http"].rstrip("/")
        return int(url.rpartition(":")[2]), int(service["spec"]["ports"][0]["nodePort"])

    def is_rolled(self) -> bool:
        status = json.loads(self.run("get", "deployment", "web", "-o", "json"))
        spec, now = status["spec"], status.get("status", {})
        return (
            now.get("observedGeneration") == status["metadata"]["generation"]
            and spec["replicas"] == self.replicas
            and spec["template"]["spec"]["containers"][0]["env"][0]["value"] == str(self.revision)
            and now.get("updatedReplicas") == now.get("availableReplicas") == self.replicas
            and now.get("replicas") == self.replicas
        )


class Load:
    """Clients that ask until they are told to stop."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self.over = False

    async def client(self, name: str, port: int, *, keep: bool) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self.over:
            try:
                async with asyncio.timeout(10):
                    if connection is None:
                        connection = await asyncio.open_connection("127.0.0.1", port)
                    open_still = await ask(*connection, keep=keep)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failed[f"{name}: {type(error).__name__} {error}"] += 1
                open_still = False
                await asyncio.sleep(0.05)
            else:
                self.answered += 1
            if connection is not None and not open_still:
                connection[1].close()
                connection = None
            await asyncio.sleep(REST)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> bool:
    """Ask once; returns whether the connection is kept. Raises ``ValueError`` for any answer but 200."""
    close = b"" if keep else b"Connection: close\r\n"
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n" + close + b"\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split()[0])
    await reader.readexactly(length)
    if head.split()[1] != b"200":
        raise ValueError(f"status {head.split()[1].decode()}")
    return keep and b"connection: close" not in head


async def measure(requests: int, folder: Path) -> Outcome:
    """Ask ``requests`` times while everything changes."""
    site = Site(folder)
    site.up(wait=True)
    load = Load()
    ingress, service = site.ports()
    started = time.perf_counter()
    clients = [
        asyncio.create_task(
            load.client(
                f"{where}, {'kept' if keep else 'fresh'} connections", port, keep=keep
            )
        )
        for where, port in (("Ingress", ingress), ("Service", service))
        for keep in (True, False)
        for _ in range(CLIENTS)
    ]  # fmt: skip
    rounds = kills = 0
    try:
        while load.answered < requests:
            rounds += 1
            await asyncio.to_thread(change, site, kill=rounds % 2 == 0)
            kills += rounds % 2 == 0
            while load.answered < min(rounds * ROUND, requests):
                await asyncio.sleep(0.05)
        load.over = True
        await asyncio.gather(*clients)
    finally:
        for client in clients:
            client.cancel()
        took = time.perf_counter() - started
        await asyncio.to_thread(site.run, "down")
    return Outcome(load.answered, load.failed, took, rounds, rounds, kills)


def change(site: Site, *, kill: bool) -> None:
    """Roll, then scale; with ``kill`` the daemon dies in the middle of the rollout."""
    site.revision += 1
    site.write()
    if kill:
        time.sleep(0.5)
        site.kill()
        site.up(wait=False)
    until_rolled(site)
    site.replicas = 5 if site.replicas == 3 else 3
    site.write()
    until_rolled(site)


def until_rolled(site: Site) -> None:
    deadline = time.monotonic() + 120
    while not site.is_rolled():
        if time.monotonic() > deadline:
            raise TimeoutError("the rollout does not end")
        time.sleep(0.2)


def report(outcome: Outcome) -> dict[str, Any]:
    """Return the figures."""
    return {
        "answered": outcome.answered,
        "failed": sum(outcome.failed.values()),
        "failures": dict(outcome.failed),
        "requests a second": round(outcome.answered / outcome.seconds),
        "rollouts": outcome.rollouts,
        "scalings": outcome.scalings,
        "daemon kills": outcome.kills,
    }


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(measure(requests, Path(folder)))
    print(json.dumps(report(outcome), indent=2))
    sys.exit(1 if outcome.failed else 0)


if __name__ == "__main__":
    main()
