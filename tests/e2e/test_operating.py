"""A daemon as its operator sees it: told to by systemd, asked by Prometheus, reloaded, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

APPLICATION = """apiVersion: reconciler.dev/v1
kind: Application
metadata: {name: shop}
spec:
  source: {directory: {path: shop}}
  destination: {namespace: shop}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
"""


class Service:
    """A daemon on the memory runtime, and a socket in systemd's place."""

    def __init__(self, machine: Machine, manager: socket.socket) -> None:
        self.machine = machine
        self.manager = manager
        self.config = machine.work / "reconciler.yaml"
        self.heard: list[str] = []

    def start(self) -> subprocess.Popen[str]:
        environment = self.machine.environment() | {
            "NOTIFY_SOCKET": str(self.manager.getsockname())
        }
        process = subprocess.Popen(
            [*self.machine.command, "--runtime", "memory", "daemon", "--config", str(self.config)],
            env=environment, cwd="/", text=True, stderr=(self.machine.work / "log").open("a"),
        )  # fmt: skip
        self.machine.started.append(process)
        return process

    def log(self) -> str:
        return (self.machine.work / "log").read_text()

    def hears(self, text: str) -> bool:
        while True:
            try:
                self.heard += self.manager.recv(4096).decode().splitlines()
            except BlockingIOError:
                return text in self.heard


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    work = Path("/tmp") / f"rc-{os.getpid()}-operating"
    work.mkdir()
    command = [str(Path(sys.executable).parent / "reconciler")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(work / "notify"))
        manager.setblocking(False)
        machine = Machine(command, work / "state", work, None)
        machine.copy("shop")
        (work / "app.yaml").write_text(APPLICATION)
        yield Service(machine, manager)
        machine.close()
        shutil.rmtree(work, ignore_errors=True)


def test_it_starts_reloads_is_observed_and_stops(service: Service) -> None:
    service.config.write_text("metrics: {listen: '127.0.0.1:0'}\napplications: [app.yaml]\n")
    process = service.start()
    eventually(lambda: service.hears("READY=1"))
    machine = service.machine
    url = machine.json("status")["metrics"]

    def ask(path: str) -> str:
        with urllib.request.urlopen(url.removesuffix("/metrics") + path, timeout=10) as answer:
            return str(answer.read().decode())

    def healthy() -> bool:
        found = {m.name: m for m in text_string_to_metric_families(ask("/metrics"))}
        (info,) = found["reconciler_application_info"].samples
        return info.labels["sync_status"] == "Synced" and info.labels["health_status"] == "Healthy"

    eventually(healthy)
    assert ask("/readyz") == "ok"
    assert "[+]store ok" in ask("/readyz?verbose")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask("/api/v1/secrets")

    service.config.write_text("log: {format: json}\nnetwork: {httpPort: 1}\n")
    process.send_signal(signal.SIGHUP)
    eventually(lambda: service.hears("RELOADING=1"))
    told = "STATUS=running; metrics.listen, network.httpPort will hold after a restart"
    eventually(lambda: service.hears(told))
    assert '"event": "changes that hold after a restart"' in service.log()
    # An Application that was taken out of the file stays.
    assert machine.run("get", "application", "shop", "-o", "name").stdout

    service.config.write_text("log: {level: loud}\n")
    process.send_signal(signal.SIGHUP)
    eventually(
        lambda: service.hears("STATUS=running with the old configuration: the new one is invalid")
    )
    assert f"{service.config}:1:7: expected one of error" in service.log()
    assert ask("/readyz") == "ok"

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert service.hears("STOPPING=1")
    assert "Traceback" not in service.log()


def test_a_configuration_with_a_mistake_does_not_start_a_daemon(service: Service) -> None:
    service.config.write_text("metrics: {listen: here}\n")
    process = service.start()
    assert process.wait(timeout=30) == 1
    assert f"error: {service.config}:1:11" in service.log()
    assert not (service.machine.state / "cluster.db").exists()


def test_a_state_directory_of_a_newer_version_is_left_alone(service: Service) -> None:
    service.config.write_text("")
    state = service.machine.state
    state.mkdir(mode=0o700)
    (state / "cluster.db").write_text("of the future")
    (state / "format").write_text("99\n")
    process = service.start()
    assert process.wait(timeout=30) == 1
    assert "has format 99" in service.log()
    assert (state / "cluster.db").read_text() == "of the future"
