"""Jobs, CronJobs and DaemonSets through the command line, as real processes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import Machine, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: import}
spec:
  completions: 3
  parallelism: 3
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: app
          command: [sh, -c, "echo part $JOB_COMPLETION_INDEX on $(hostname); sleep 4"]
"""
_OTHERS = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: app, command: [sleep, "3600"]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "@every 3s"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: app, command: [sh, -c, "echo tick"]}]
"""


def _write(machine: Machine, name: str, text: str) -> Path:
    folder = machine.work / "app"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    for path in (folder, folder / name):
        if machine.user is not None:
            os.chown(path, machine.user, machine.user)
    return folder


def _status(machine: Machine) -> dict[str, Any]:
    return dict(machine.json("get", "job", "import").get("status") or {})


def test_a_job_is_counted_right_though_the_daemon_is_killed(machine: Machine) -> None:
    folder = _write(machine, "job.yaml", _JOB)
    machine.run("up", folder, "--detach", "--http-port", "0", "--https-port", "0")
    eventually(lambda: _status(machine).get("active") == 3)
    os.kill(machine.daemon_pid(), signal.SIGKILL)
    machine.up(folder)
    status = _status(machine)
    assert (status["succeeded"], status["completedIndexes"]) == (3, "0-2")
    assert "failed" not in status
    pods = machine.pods()
    assert len(pods) == 3
    for pod in pods:
        index = pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
        told = machine.run("logs", pod["metadata"]["name"]).stdout
        assert told.strip() == f"part {index} on import-{index}"
    row = machine.run("get", "jobs").stdout.splitlines()[1].split()
    assert row[:3] == ["import", "Complete", "3/3"]
    machine.run("delete", "job", "import", "--cascade", "foreground")


def test_a_daemon_set_rolls_and_a_cron_job_ticks(machine: Machine) -> None:
    machine.up(_write(machine, "others.yaml", _OTHERS))
    (before,) = machine.pods(labels="app=agent")
    machine.run("rollout", "restart", "daemonset/agent")
    machine.run("rollout", "status", "daemonset/agent")
    (after,) = machine.pods(labels="app=agent")
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    history = machine.run("rollout", "history", "daemonset/agent").stdout.split()
    assert history[-4::2] == ["1", "2"]
    machine.run("rollout", "undo", "daemonset/agent")
    machine.run("rollout", "status", "daemonset/agent")

    def ticked() -> bool:
        return bool(machine.json("get", "cronjob", "tick")["status"].get("lastSuccessfulTime"))

    eventually(ticked)
    assert "CronJob" in machine.run("status").stdout
