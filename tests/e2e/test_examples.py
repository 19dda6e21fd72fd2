"""The examples, run as a newcomer runs them. Each is a promise of the README."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.machine import ROOT, Machine, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def processes(pod: str) -> dict[int, str]:
    """Return the processes of a Pod as {pid: command line}, found by the hostname in their environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"HOSTNAME={pod}".encode() in environment and command:
                found[int(entry.name)] = command.strip()
    return found


def names(machine: Machine, namespace: str = "default", labels: str = "") -> set[str]:
    return {p["metadata"]["name"] for p in machine.pods(namespace, labels)}


@pytest.fixture(scope="module")
def shop(shared_machine: Machine) -> Machine:
    """The shop, whole until ``test_editing_rolls_and_deleting_prunes``."""
    shared_machine.copy("shop")
    shared_machine.up(shared_machine.work / "shop")
    return shared_machine


def edit(path: Path, old: str, new: str) -> None:
    """Change a file as editors do: write another and rename it over."""
    text = path.read_text()
    assert old in text
    beside = path.with_suffix(".tmp")
    beside.write_text(text.replace(old, new))
    beside.chmod(0o644)
    beside.rename(path)


def test_hello_is_two_pods_with_an_address_each_behind_one_ingress(machine: Machine) -> None:
    machine.up(ROOT / "examples/hello" if machine.user is None else machine.copy("hello"))

    pods = machine.pods()
    addresses = {p["status"]["podIP"] for p in pods}
    assert len(pods) == len(addresses) == 2

    seen: set[str] = set()

    def both_answer() -> bool:
        status, body = machine.get("/")
        assert status == 200
        match = re.fullmatch(r"Hello from (\S+) at (\S+)", body.strip())
        assert match, body
        assert match[2] in addresses
        seen.add(match[1])
        return seen == {p["metadata"]["name"] for p in pods}

    eventually(both_answer)


def test_shop_serves_and_keeps_its_orders(shop: Machine) -> None:
    status, page = shop.get("/")
    assert status == 200
    assert "The Corner Shop" in page
    assert "0.50 EUR" in page
    assert len(names(shop, "shop", "app=frontend")) == 3
    assert len(names(shop, "shop", "app=api")) == 2

    subprocess.run(
        ["curl", "-sSf", "-m", "10", "-d", "product=bread", shop.ingress() + "/order"],
        check=True, capture_output=True,
    )  # fmt: skip
    ordered = "<td>bread<td>3.20 EUR<td>1<td>"

    def still_there() -> bool:
        return ordered in shop.get("/")[1].replace("\n", "")

    assert still_there()

    uid = shop.json("get", "pod", "database-0", "-n", "shop")["metadata"]["uid"]
    for pid in processes("database-0"):
        os.kill(pid, signal.SIGKILL)
    eventually(still_there)

    shop.run("delete", "pod", "database-0", "-n", "shop")

    def replaced() -> bool:
        pod = shop.json("get", "pod", "database-0", "-n", "shop")
        return bool(pod["metadata"]["uid"] != uid)

    eventually(replaced)
    eventually(still_there)

    shop.run("down")
    assert not processes("database-0")
    shop.up(shop.work / "shop")
    eventually(still_there)


def test_what_dies_comes_back_and_what_was_changed_by_hand_is_put_back(shop: Machine) -> None:
    victim = next(iter(names(shop, "shop", "app=frontend")))
    (pid,) = processes(victim)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: processes(victim) and pid not in processes(victim), timeout=10)

    shop.run("scale", "deployment/api", "-n", "shop", "--replicas", "5")
    eventually(
        lambda: shop.json("get", "deployment", "api", "-n", "shop")["spec"]["replicas"] == 2,
        timeout=15,
    )


def test_the_daemon_dies_and_nothing_else_does(shop: Machine) -> None:
    pods = names(shop, "shop")
    before = {pod: processes(pod) for pod in pods}
    assert all(len(p) == 1 for p in before.values()), before

    os.kill(shop.daemon_pid(), signal.SIGKILL)
    eventually(lambda: shop.run("get", "pods", check=None).returncode == 1)
    assert {pod: processes(pod) for pod in pods} == before

    shop.up(shop.work / "shop")
    assert names(shop, "shop") == pods
    assert {pod: processes(pod) for pod in pods} == before
    assert shop.get("/")[0] == 200
    log = shop.run("logs", "database-0", "-n", "shop").stdout
    assert log.count("orders in /var/lib/shop/orders.db") == 1


def test_editing_rolls_and_deleting_prunes(shop: Machine) -> None:
    before = names(shop, "shop", "app=frontend")
    edit(shop.work / "shop/frontend.yaml", "The Corner Shop", "The Shop next Door")
    eventually(lambda: "The Shop next Door" in shop.get("/")[1])

    def rolled() -> bool:
        now = names(shop, "shop", "app=frontend")
        return len(now) == 3 and not now & before

    eventually(rolled)

    api = names(shop, "shop", "app=api")
    edit(shop.work / "shop/config.yaml", "EUR", "CHF")  # a ConfigMap rolls who reads it
    eventually(lambda: "0.50 CHF" in shop.get("/")[1])
    eventually(
        lambda: (
            len(names(shop, "shop", "app=api")) == 2 and not names(shop, "shop", "app=api") & api
        )
    )

    (shop.work / "shop/ingress.yaml").unlink()
    eventually(lambda: shop.get("/")[0] == 404)
    assert not shop.json("get", "ingress", "-n", "shop")["items"]


@pytest.mark.parametrize(
    ("environment", "hosts", "replicas"),
    [
        ("staging", ["staging.localhost"], 1),
        ("production", ["site.localhost", "www.site.localhost"], 3),
    ],
)
def test_one_template_two_environments(
    machine: Machine, environment: str, hosts: list[str], replicas: int
) -> None:
    example = machine.copy("templates")
    machine.up(example / "deploy", "--values", example / f"environments/{environment}.yaml")
    assert len(machine.pods()) == replicas
    for host in hosts:
        status, body = machine.get("/", host)
        assert status == 200
        assert f"This is {environment}." in body
    assert machine.get("/", "elsewhere.localhost")[0] == 404
