"""A Pod's token, as its process reads it and the daemon knows it again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

SET = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  serviceAccountName: robot
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: app:1
      command: [sh, -c, "cat /run/tokens/shop; echo; exec sleep 1000"]
      volumeMounts: [{name: tokens, mountPath: /run/tokens}]
  volumes:
    - name: tokens
      projected:
        sources: [{serviceAccountToken: {path: shop, audience: shop, expirationSeconds: 600}}]
"""


def ask(machine: Machine, path: str, body: dict[str, Any] | None = None) -> Any:
    data = ["-d", json.dumps(body)] if body is not None else []
    socket = str(machine.state / "api.sock")
    done = subprocess.run(
        ["curl", "-sS", "-m", "10", "--unix-socket", socket, *data, f"http://localhost{path}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_token_is_its_pods_for_as_long_as_there_is_one(machine: Machine) -> None:
    folder = machine.work / "set"
    folder.mkdir()
    (folder / "set.yaml").write_text(SET)
    machine.up(folder)
    token = eventually(lambda: machine.run("logs", "web").stdout).strip()
    spec = {"token": token, "audiences": ["shop"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}

    def review() -> Any:
        return ask(machine, "/apis/authentication.k8s.io/v1/tokenreviews", body)["status"]

    assert review()["user"]["username"] == "system:serviceaccount:default:robot"
    key = machine.state / "keys/service-account.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert token not in (machine.state / "daemon.log").read_text()
    (folder / "set.yaml").write_text(SET.partition("---")[0])
    machine.up(folder)
    eventually(lambda: "not found" in review().get("error", ""))
    (public,) = ask(machine, "/openid/v1/jwks")["keys"]
    assert public["alg"] == "RS256"
