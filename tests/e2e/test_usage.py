"""What runs is measured: `top` shows it, and an autoscaler goes by it. Real processes, as root and as nobody."""

from __future__ import annotations

import pytest

from tests.e2e.machine import Machine, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BUSY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: busy
          image: any
          command: [/usr/bin/python3, -c, "x = bytearray(30 << 20)\\nwhile True: pass"]
          resources: {requests: {cpu: 50m}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  maxReplicas: 2
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


GREEDY = """\
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: greedy
      image: any
      command: [/usr/bin/python3, -c, "x = bytearray(30 << 20)\\nwhile True: pass"]
      resources: {limits: {memory: 20Mi}}
"""

HOARDER = """\
apiVersion: v1
kind: Pod
metadata: {name: hoarder}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: any
      command: [sh, -c, "head -c 20000000 /dev/zero > /data/much; sleep 3600"]
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {sizeLimit: 10Mi}}]
"""


@pytest.fixture(scope="module")
def machine(shared_machine: Machine) -> Machine:
    """A machine on which all of it runs: that one is looked at is no reason for the others to wait."""
    folder = shared_machine.work / "deploy"
    folder.mkdir()
    (folder / "busy.yaml").write_text(BUSY)
    (folder / "greedy.yaml").write_text(GREEDY)
    (folder / "hoarder.yaml").write_text(HOARDER)
    shared_machine.run("up", folder, "--detach", "--http-port", "0", "--https-port", "0")
    return shared_machine


def test_top_shows_what_an_autoscaler_goes_by(machine: Machine) -> None:
    def busy() -> list[list[str]]:
        found = rows(machine.run("top", "pods").stdout)[1:]
        return [
            row
            for row in found
            if row[0].startswith("busy-") and int(row[2].removesuffix("Mi")) >= 30
        ]

    (name, cpu, memory) = eventually(busy, 60)[0]
    assert int(cpu.removesuffix("m")) > 25
    assert int(memory.removesuffix("Mi")) < 200
    node = rows(eventually(lambda: machine.run("top", "nodes").stdout))
    assert node[0] == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]

    eventually(lambda: len(machine.pods(labels="app=busy")) == 2, 120)
    status = machine.json("get", "hpa", "busy")["status"]
    assert status["currentMetrics"][0]["resource"]["current"]["averageUtilization"] > 50
    by_name = [r[0] for r in rows(machine.run("top", "pods", "--sort-by", "cpu").stdout)[1:]]
    assert name in by_name


def test_who_is_over_its_memory_is_told_so(machine: Machine) -> None:
    if machine.user is not None:
        pytest.skip("an ordinary user has no control groups here")

    def last() -> object:
        (status,) = machine.json("get", "pod", "greedy")["status"]["containerStatuses"]
        return status.get("lastState", {}).get("terminated", {}).get("reason")

    assert eventually(last) == "OOMKilled"
    assert "OOMKilled" in machine.run("describe", "pod", "greedy").stdout


def test_who_takes_more_of_the_disk_than_it_may_has_to_go(machine: Machine) -> None:
    """P35: looked at every ten seconds; the Pod fails, and says why."""

    def status() -> dict[str, str]:
        found: dict[str, str] = machine.json("get", "pod", "hoarder")["status"]
        return found

    eventually(lambda: status()["phase"] == "Failed", 60)
    assert status()["reason"] == "Evicted"
    assert status()["message"] == 'Usage of EmptyDir volume "data" exceeds the limit "10Mi". '
    assert "Evicted" in machine.run("events").stdout
