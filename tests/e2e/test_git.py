"""An Application from a git repository, as its user meets it: pushed, applied, and running on whatever happens to git."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import eventually
from tests.unit.gitops.source.git.origin import Origin

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SECRET = "what the git server signs with"

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "any:1", command: [/bin/sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"]}
"""


def settings(number: int) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{count: '{number}'}}\n"


class Shop:
    """A repository and a daemon that follows it."""

    def __init__(self, machine: Machine, interval: str = "1h") -> None:
        self.machine = machine
        self.origin = Origin(machine.work)
        self.origin.commit("first", deploy__web=WEB, deploy__settings=settings(1))
        self._write("secret", SECRET)
        self._write(
            "reconciler.yaml",
            "applications: [shop.yaml]\nnetwork: {httpPort: 0, httpsPort: 0}\n"
            "webhook: {listen: '127.0.0.1:0', secretFile: secret}\n",
        )
        git = {"url": self.origin.url, "ref": "main", "path": "deploy", "interval": interval}
        self._write(
            "shop.yaml",
            json.dumps(
                {
                    "apiVersion": "reconciler.dev/v1", "kind": "Application",
                    "metadata": {"name": "shop", "finalizers": ["reconciler.dev/resources-finalizer"]},
                    "spec": {"source": {"git": git}, "syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
                }
            ),
        )  # fmt: skip

    def _write(self, name: str, text: str) -> Path:
        path = self.machine.work / name
        path.write_text(text)
        return path

    def start(self) -> subprocess.Popen[str]:
        config = self.machine.work / "reconciler.yaml"
        return self.machine.start("daemon", "--config", config)

    def hook(self) -> None:
        """Say what a git server says after a push."""
        body = json.dumps({"repository": {"clone_url": self.origin.url}}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            self.machine.json("status")["webhook"],
            data=body,
            headers={"X-Signature": f"sha256={signature}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer) == {"woken": 1}

    def application(self) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.json("get", "application", "shop")
        return found.get("status") or {}

    def is_at(self, revision: str) -> bool:
        status = self.application()
        synced = status["sync"] == {"status": "Synced", "revision": revision}
        return bool(synced and status["health"]["status"] == "Healthy")

    def web(self) -> list[tuple[str, str]]:
        return [(p["metadata"]["name"], p["status"].get("phase", "")) for p in self.machine.pods()]


def test_a_push_is_applied_by_webhook_and_interrupts_nothing(machine: Machine) -> None:
    shop = Shop(machine)
    shop.start()
    first = shop.origin.git("rev-parse", "HEAD")
    eventually(lambda: shop.is_at(first))
    running = shop.web()
    assert [phase for _, phase in running] == ["Running"]

    second = shop.origin.commit("second", deploy__settings=settings(2))
    shop.hook()
    eventually(lambda: shop.is_at(second))
    assert machine.json("get", "configmap", "settings")["data"] == {"count": "2"}
    assert shop.web() == running
    synced = eventually(
        lambda: [h for h in shop.application()["history"] if h["revision"] == second]
    )[0]
    assert synced["initiatedBy"]["trigger"] == "webhook"

    # A manifest that is wrong changes nothing, and says where it is wrong.
    shop.origin.commit(
        "broken", deploy__settings="kind: ConfigMap\napiVersion: v1\ndata: {count: [}\n"
    )
    shop.hook()
    told = eventually(lambda: shop.application()["conditions"][0]["message"])
    assert "settings.yaml:3" in told
    assert shop.web() == running

    # `sync` looks at once, without a webhook.
    third = shop.origin.commit("third", deploy__settings=settings(3))
    machine.run("sync", "shop", check=None)
    eventually(lambda: shop.is_at(third))
    assert shop.web() == running


def test_a_killed_daemon_and_a_vanished_server_leave_everything_running(machine: Machine) -> None:
    shop = Shop(machine, interval="1s")
    daemon = shop.start()
    first = shop.origin.git("rev-parse", "HEAD")
    eventually(lambda: shop.is_at(first))
    running = shop.web()
    packs = sorted(p.name for p in (machine.state / "sources").rglob("*") if len(p.name) == 38)

    away = shop.origin.served.rename(machine.work / "away")
    told = eventually(lambda: shop.application()["conditions"][0])
    assert told["type"] == "SourceError"
    assert shop.origin.url in told["message"]
    assert "since 20" in told["message"]
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    shop.start()
    eventually(lambda: shop.application()["conditions"])
    # What is written down is still held to, though the server is away.
    machine.run("delete", "configmap", "settings")
    eventually(lambda: machine.json("get", "configmap", "settings")["data"] == {"count": "1"})
    assert shop.web() == running

    away.rename(shop.origin.served)
    eventually(lambda: shop.is_at(first))
    assert packs == sorted(
        p.name for p in (machine.state / "sources").rglob("*") if len(p.name) == 38
    )
    assert (machine.state / "sources").stat().st_mode & 0o077 == 0
    machine.run("delete", "application", "shop")
    eventually(lambda: not list((machine.state / "sources").iterdir()))
    assert not machine.pods()
