"""Ports of the host: published for a Pod, refused to a second one, shared where programs share them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

#: Answers its Pod's name; shares its port with others of its kind, and ends only when nobody waits any more.
SERVER = """
import os, select, signal, socket
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listening.bind((os.environ.get("BIND", "0.0.0.0"), int(os.environ["PORT"])))
listening.listen(128)
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
while select.select([listening], [], [], 0.05)[0] or not told:
    if select.select([listening], [], [], 0)[0]:
        connection, _ = listening.accept()
        connection.sendall((os.environ["REVISION"] + "\\n").encode())
        connection.close()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.makefile().readline().strip()


def deployment(folder: Path, revision: int, ports: str, env: dict[str, str], **pod: object) -> None:
    """Write a Deployment of one Pod."""
    variables = {"REVISION": str(revision), **env}
    spec = {
        **pod,
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {
                "name": "web", "image": "python:3.12", "command": ["python3", "-c", SERVER],
                "env": [{"name": k, "value": v} for k, v in variables.items()],
                "ports": json.loads(ports),
            }
        ],
    }  # fmt: skip
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
        },
    }
    (folder / ".new").write_text(json.dumps(manifest))
    (folder / ".new").rename(folder / "web.yaml")


def test_a_host_port_is_published_and_a_second_pod_waits_for_it(machine: Machine) -> None:
    folder = machine.work / "deploy"
    folder.mkdir()
    port = free_port()
    ports = json.dumps([{"containerPort": 9000, "hostPort": port}])
    deployment(folder, 1, ports, {"PORT": "9000"})
    told = machine.run("validate", folder)
    assert "runtime/host-port" in told.stdout
    assert f"waits for port {port}" in told.stdout
    machine.up(folder)
    assert eventually(lambda: ask(port)) == "1"

    second = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "second"},
        "spec": {
            "containers": [
                {"name": "web", "image": "x", "command": ["sleep", "60"], "ports": json.loads(ports)}
            ]
        },
    }  # fmt: skip
    (folder / "second.yaml").write_text(json.dumps(second))

    def unscheduled() -> str:
        pod = machine.json("get", "pod", "second")
        return str(pod["status"]["conditions"])

    assert "didn't have free ports" in eventually(
        lambda: "ports" in unscheduled() and unscheduled()
    )
    (folder / "second.yaml").unlink()
    (folder / "web.yaml").unlink()
    (folder / "none.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "none"}}))  # fmt: skip

    def refused() -> bool:
        try:
            ask(port)
        except ConnectionRefusedError:
            return True
        return False

    eventually(refused)


def test_programs_that_share_a_port_of_the_host_roll_side_by_side(machine: Machine) -> None:
    folder = machine.work / "deploy"
    folder.mkdir()
    port = free_port()
    env = {"PORT": str(port), "BIND": "127.0.0.1"}
    deployment(folder, 1, "[]", env, hostNetwork=True)
    assert "runtime/host-port" not in machine.run("validate", folder).stdout
    machine.up(folder)
    eventually(lambda: ask(port) == "1")
    answers: Counter[str] = Counter()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                answers[ask(port)] += 1
            except OSError as error:
                answers[repr(error)] += 1
            time.sleep(0.005)

    client = threading.Thread(target=load)
    client.start()
    try:
        deployment(folder, 2, "[]", env, hostNetwork=True)
        eventually(
            lambda: [p["spec"]["containers"][0]["env"][0]["value"] for p in machine.pods()] == ["2"]
        )
        eventually(lambda: {ask(port) for _ in range(10)} == {"2"})
    finally:
        over.set()
        client.join()
    # What waits in the queue of a program that closes its socket is reset by the kernel (net.ipv4.tcp_migrate_req is 0):
    # that may be a connection or two, never a moment in which nobody listens.
    refused = answers.total() - answers["1"] - answers["2"]
    assert answers["1"], answers
    assert answers["2"], answers
    assert refused <= 2, answers
    assert not any("refused" in answer for answer in answers), answers


def test_nothing_of_it_is_left(machine: Machine) -> None:
    """``down`` gives the port back."""
    folder = machine.work / "deploy"
    folder.mkdir()
    port = free_port()
    deployment(folder, 1, json.dumps([{"containerPort": 9000, "hostPort": port}]), {"PORT": "9000"})
    machine.up(folder)
    eventually(lambda: ask(port) == "1")
    machine.run("down")
    with pytest.raises(ConnectionRefusedError):
        ask(port)
