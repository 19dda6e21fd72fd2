"""What runs is measured: `top` shows it, and an autoscaler goes by it. Real processes, as root and as nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: busy}}
spec:
  selector: {{matchLabels: {{app: busy}}}}
  template:
    metadata: {{labels: {{app: busy}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: busy
          image: any
          command: [/usr/bin/python3, -c, "x = bytearray(30 << 20)\\nwhile True: pass"]
          resources: {{requests: {{cpu: 50m}}{limits}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: busy}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: busy}}
  maxReplicas: 2
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 50}}}}}}]
"""


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def write(folder: Path, machine: Machine, *, limits: str = "") -> Path:
    folder.mkdir()
    (folder / "busy.yaml").write_text(MANIFESTS.format(limits=limits))
    return folder


def test_top_shows_what_an_autoscaler_goes_by(machine: Machine) -> None:
    machine.up(write(machine.work / "busy", machine), timeout=120)
    shown = eventually(lambda: rows(machine.run("top", "pods").stdout)[1:], 60)
    (name, cpu, memory) = shown[0]
    assert name.startswith("busy-")
    assert int(cpu.removesuffix("m")) > 25
    assert 30 <= int(memory.removesuffix("Mi")) < 200
    node = rows(eventually(lambda: machine.run("top", "nodes").stdout))
    assert node[0] == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]

    eventually(lambda: len(machine.pods()) == 2, 120)
    status = machine.json("get", "hpa", "busy")["status"]
    assert status["currentMetrics"][0]["resource"]["current"]["averageUtilization"] > 50
    by_name = [r[0] for r in rows(machine.run("top", "pods", "--sort-by", "cpu").stdout)[1:]]
    assert name in by_name


def test_who_is_over_its_memory_is_told_so(machine: Machine) -> None:
    if machine.user is not None:
        pytest.skip("an ordinary user has no control groups here")
    folder = write(machine.work / "busy", machine, limits=", limits: {memory: 20Mi}")
    machine.run("up", folder, "--detach", "--http-port", "0", "--https-port", "0")

    def last() -> object:
        (pod,) = machine.pods()
        (status,) = pod["status"]["containerStatuses"]
        return status.get("lastState", {}).get("terminated", {}).get("reason")

    assert eventually(last) == "OOMKilled"
    assert (
        "OOMKilled" in machine.run("describe", "pod", machine.pods()[0]["metadata"]["name"]).stdout
    )


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


def test_who_takes_more_of_the_disk_than_it_may_has_to_go(machine: Machine) -> None:
    """P35: looked at every ten seconds; the Pod fails, and says why."""
    folder = machine.work / "hoarder"
    folder.mkdir()
    (folder / "pod.yaml").write_text(HOARDER)
    machine.run("up", folder, "--detach", "--http-port", "0", "--https-port", "0")

    def status() -> dict[str, str]:
        found: dict[str, str] = machine.json("get", "pod", "hoarder")["status"]
        return found

    eventually(lambda: status()["phase"] == "Failed", 60)
    assert status()["reason"] == "Evicted"
    assert status()["message"] == 'Usage of EmptyDir volume "data" exceeds the limit "10Mi". '
    assert "Evicted" in machine.run("events").stdout
