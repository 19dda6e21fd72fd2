"""Verbs against a real registry behind the API server on a unix socket."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.apiserver.server import ApiServer
from reconciler.cli.main import main
from reconciler.clock import SystemClock, SystemEntropy
from reconciler.registry.registry import Registry
from reconciler.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABELS = {"app": "web"}
OBJECTS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": "a:1"}]}},
        },
    },
    {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop", "labels": LABELS},
        "spec": {"containers": [{"name": "app", "image": "a:1"}]},
    },
    {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two", "namespace": "shop"},
        "spec": {
            "initContainers": [{"name": "setup", "image": "a:1"}],
            "containers": [{"name": "app", "image": "a:1"}, {"name": "side", "image": "a:1"}],
        },
    },
    {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "shop"},
        "data": {"password": "aHVudGVyMg=="},
    },
    {
        "apiVersion": "reconciler.dev/v1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {"source": {"directory": {"path": "/srv/shop"}}},
    },
]  # fmt: skip
DETAILS = {
    "pid": 7, "version": "v0", "runtime": "memory", "stateDir": "/s", "problems": [],
    "ingress": {"http": "http://127.0.0.1:1", "https": ""},
}  # fmt: skip


class Cluster:
    """A registry behind a socket, and the command over it."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as done:
            main(["--state-dir", str(self.state), *arguments])
        shown = self._capsys.readouterr()
        assert done.value.code == code, shown
        return shown.out, shown.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json")[0])


async def serve(state: Path, ready: threading.Event, ended: threading.Event) -> None:
    clock = SystemClock()
    registry = Registry(MemoryStore(), clock=clock, entropy=SystemEntropy())
    await registry.start()
    for obj in OBJECTS:
        await registry.create(obj)
    server = ApiServer(registry, version="v0", clock=clock, details=lambda: dict(DETAILS))
    async with server.serving(state / "api.sock"):
        ready.set()
        await asyncio.to_thread(ended.wait)
    await registry.close()


@pytest.fixture
def cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Cluster]:
    ready, ended = threading.Event(), threading.Event()
    lock = os.open(tmp_path / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, b"7\n")
    thread = threading.Thread(target=lambda: asyncio.run(serve(tmp_path, ready, ended)))
    thread.start()
    try:
        assert ready.wait(20)
        yield Cluster(tmp_path, capsys)
    finally:
        ended.set()
        thread.join()
        os.close(lock)


def test_get_one_object_or_a_list(cluster: Cluster) -> None:
    one = cluster.json("get", "deploy/web", "-n", "shop")
    assert (one["kind"], one["metadata"]["name"]) == ("Deployment", "web")
    assert "managedFields" not in one["metadata"]
    several = cluster.json("get", "pods,secrets", "-n", "shop")
    assert (several["apiVersion"], several["kind"]) == ("v1", "List")
    assert [o["metadata"]["name"] for o in several["items"]] == ["two", "web-0", "key"]
    assert (
        yaml.safe_load(cluster.run("get", "po", "web-0", "-n", "shop", "-o", "yaml")[0])["kind"]
        == "Pod"
    )
    out, _ = cluster.run("get", "deploy,pods", "-n", "shop", "-o", "name")
    assert out.split() == ["deployment.apps/web", "pod/two", "pod/web-0"]
    again, _ = cluster.run("get", *out.split(), "deploy.v1.apps/web", "-n", "shop", "-o", "name")
    assert sorted(again.split()) == ["deployment.apps/web"] * 2 + ["pod/two", "pod/web-0"]
    assert cluster.json("get", "pods", "-A", "-l", "app=none")["items"] == []
    assert cluster.json("get", "pods", "-A", "--field-selector", "metadata.name=web-0")["items"]


def test_get_tables(cluster: Cluster) -> None:
    out, _ = cluster.run("get", "all", "-A")
    assert "pod/web-0" in out
    assert "deployment.apps/web" in out
    assert out.splitlines()[0].split()[:2] == ["NAMESPACE", "NAME"]
    assert "\x1b" not in out
    out, error = cluster.run("get", "services")
    assert (out, error) == ("", "No resources found in default namespace.\n")


def test_what_is_not_there_is_one_line(cluster: Cluster) -> None:
    _, error = cluster.run("get", "pod", "nope", "-n", "shop", code=1)
    assert error == 'error: pods "nope" not found\n'


@pytest.mark.parametrize(
    "words", [["pod/a/b"], ["deploy", "web/x"], ["pods", "pod/web-0"], ["pod/web-0", "two"]]
)
def test_a_name_with_a_slash_is_no_name(cluster: Cluster, words: list[str]) -> None:
    _, error = cluster.run("get", *words, code=2)
    assert "expected KIND/NAME" in error or "without a kind before it" in error


@pytest.mark.parametrize("verb", [["logs", "two"], ["exec", "two", "--", "ls"]])
def test_which_of_several_containers_was_meant_is_said(cluster: Cluster, verb: list[str]) -> None:
    """As kubectl does; here the server runs nothing, so that the request itself fails."""
    told = 'Defaulted container "app" out of: app, side, setup (init)\n'
    assert cluster.run(*verb[:1], "-n", "shop", *verb[1:], code=1)[1].startswith(told)
    for given in (["-c", "side"], ["--container", "side"]):
        assert told not in cluster.run(*verb[:1], "-n", "shop", *given, *verb[1:], code=1)[1]
    assert told not in cluster.run("logs", "-n", "shop", "two", "side", code=1)[1]
    cluster.run("logs", "-n", "shop", "two", "side", "-c", "app", code=2)
    assert told not in cluster.run(verb[0], "-n", "shop", "web-0", *verb[2:], code=1)[1]


def test_nothing_found_is_said(cluster: Cluster) -> None:
    assert cluster.run("events", "--for", "pod/nope") == (
        "", "No events found in default namespace.\n",
    )  # fmt: skip
    _, error = cluster.run("top", "pod", "nope", "-n", "shop", code=1)
    assert error == 'error: pods "nope" not found\n'
    _, error = cluster.run("top", "pod", "-n", "none")
    assert error == "No resources found in none namespace.\n"


def test_describe_hides_secrets(cluster: Cluster) -> None:
    out, _ = cluster.run("describe", "secret", "key", "-n", "shop")
    assert "password" in out
    assert "aHVudGVyMg" not in out
    assert "hunter2" not in out
    assert "Events: <none>" in out


def test_scale_changes_the_object(cluster: Cluster) -> None:
    out, _ = cluster.run("scale", "deploy/web", "--replicas", "3", "-n", "shop")
    assert out == "deployment.apps/web scaled\n"
    assert cluster.json("get", "deploy", "web", "-n", "shop")["spec"]["replicas"] == 3
    cluster.run("scale", "secret/key", "--replicas", "3", "-n", "shop", code=2)


def test_restart_changes_the_template(cluster: Cluster) -> None:
    cluster.run("rollout", "restart", "deploy/web", "-n", "shop")
    template = cluster.json("get", "deploy", "web", "-n", "shop")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    _, error = cluster.run("rollout", "undo", "deploy/web", "-n", "shop", code=1)
    assert "an earlier revision" in error


def test_suspend_and_resume(cluster: Cluster) -> None:
    cluster.run("suspend", "shop")
    assert cluster.json("get", "app", "shop")["spec"]["suspend"] is True
    cluster.run("resume", "shop")
    assert not cluster.json("get", "app", "shop")["spec"]["suspend"]
    cluster.run("suspend", "nope", code=1)


def test_status(cluster: Cluster) -> None:
    found = cluster.json("status")
    assert found["ingress"] == DETAILS["ingress"]
    assert (found["pid"], found["version"]) == (7, "v0")
    assert [a["metadata"]["name"] for a in found["applications"]] == ["shop"]
    assert "shop: Unknown" in cluster.run("status")[0]


def test_delete(cluster: Cluster) -> None:
    cluster.run("delete", "pod", "web-0", "two", "-n", "shop")
    assert cluster.json("get", "pods", "-n", "shop")["items"] == []
    cluster.run("delete", "pods", "-n", "shop", code=2)
