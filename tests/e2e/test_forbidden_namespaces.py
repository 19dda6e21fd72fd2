"""A host that lets ordinary users make no namespaces: Pods at 127.x addresses, and what they lack is told."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import NOBODY, Machine, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: python:3.12
          command: [sh, -c, 'sleep 1000 & exec python3 -m http.server --bind $(POD_IP) --directory /usr/share 8080']
          env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 8080}}}}
"""

KEEPER = """\
apiVersion: v1
kind: Pod
metadata: {name: keeper}
spec:
  containers:
    - {name: keeper, image: any, command: [sleep, '1000'], volumeMounts: [{name: data, mountPath: /kept}]}
  volumes: [{name: data, emptyDir: {}}]
"""

RESTRICTED = """\
apiVersion: v1
kind: Pod
metadata: {name: restricted}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: main
      image: any
      command: [sleep, '1000']
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Pod
metadata: {name: sealed}
spec:
  containers: [{name: main, image: any, command: [sleep, '1000'], securityContext: {readOnlyRootFilesystem: true}}]
"""


@pytest.fixture
def forbidding(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine whose user may make no namespaces."""
    work = Path("/tmp") / f"rc-{os.getpid()}-forbidden"
    work.mkdir()
    launcher = str(shutil.copy(Path(__file__).with_name("forbidden.py"), work))
    user = None
    python, command = "/usr/bin/python3", [str(Path(sys.executable).parent / "reconciler")]
    if os.geteuid() == 0:
        user = NOBODY
        command = request.getfixturevalue("ordinary")
        os.chown(work, user, user)
    result = Machine([python, launcher, *command], work / "state", work, user)
    probe = Machine([python, launcher, "/bin/true"], work / "state", work, user)
    if probe.run(check=None).returncode:
        pytest.skip("this host lets ordinary users make no user namespace to try this in")
    yield result
    result.close()
    shutil.rmtree(work, ignore_errors=True)


def test_pods_have_loopback_addresses_behind_services_and_ingress(forbidding: Machine) -> None:
    deploy = forbidding.work / "deploy"
    deploy.mkdir()
    (deploy / "web.yaml").write_text(WEB)
    forbidding.up(deploy)
    pods = forbidding.pods()
    addresses = {p["status"]["podIP"] for p in pods}
    assert len(addresses) == 2
    assert all(a.startswith("127.") for a in addresses)
    assert forbidding.get("/")[0] == 200
    service = forbidding.json("get", "service", "web")["spec"]["clusterIP"]
    assert service.startswith("127.")
    assert "user namespaces" in forbidding.run("status").stdout

    name = pods[0]["metadata"]["name"]
    done = forbidding.run("exec", name, "--", "sh", "-c", "echo $POD_IP")
    assert done.stdout.strip() == pods[0]["status"]["podIP"]

    before = sorted(_sleepers())
    assert len(before) == 2
    os.kill(forbidding.daemon_pid(), signal.SIGKILL)
    forbidding.up(deploy)
    assert sorted(_sleepers()) == before, "a killed daemon stopped a workload or started it twice"
    forbidding.run("down")
    assert not _sleepers(), "what a container left in the background outlived it"


def test_a_pod_that_needs_namespaces_says_so(forbidding: Machine) -> None:
    deploy = forbidding.work / "deploy"
    deploy.mkdir()
    (deploy / "keeper.yaml").write_text(KEEPER)
    forbidding.run("up", deploy, "--detach", "--http-port", "0", "--https-port", "0")

    def waiting() -> str:
        (pod,) = forbidding.pods()
        return str(pod["status"]["containerStatuses"][0]["state"]["waiting"])

    eventually(lambda: "CreateContainerError" in waiting())
    assert "/kept" in waiting()
    assert "user.max_user_namespaces" in waiting()


def test_what_needs_no_namespace_is_given_and_the_rest_refused(forbidding: Machine) -> None:
    deploy = forbidding.work / "deploy"
    deploy.mkdir()
    (deploy / "restricted.yaml").write_text(RESTRICTED)
    forbidding.run("up", deploy, "--detach", "--http-port", "0", "--https-port", "0")
    eventually(lambda: forbidding.json("get", "pod", "restricted")["status"]["phase"] == "Running")
    script = "grep -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/self/status | cut -f2"
    told = forbidding.run("exec", "restricted", "--", "sh", "-c", script).stdout.split()
    assert told == ["0000000000000000", "1", "2"]

    def waiting() -> str:
        statuses = forbidding.json("get", "pod", "sealed")["status"]["containerStatuses"]
        return str(statuses[0]["state"]["waiting"])

    eventually(lambda: "CreateContainerError" in waiting())
    assert "readOnlyRootFilesystem needs root or user namespaces" in waiting()


def _sleepers() -> list[int]:
    """Return the processes that the web container leaves in the background."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "cmdline").read_bytes() == b"sleep\x001000\x00" and (
                b"RECONCILER_CONTAINER=" in (entry / "environ").read_bytes()
            ):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found
