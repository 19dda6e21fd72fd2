"""A site under chaos: a state directory, manifests that change, and the processes that really run.

What runs is read from the host (``/proc``), not from what the daemon says of it: every workload carries a mark in its
environment, so that one that was started twice, or was lost, is seen whoever lost it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

#: ``steady`` is never edited, so its processes may never change. ``web`` rolls with each revision. ``once`` fails
#: with a code of its own, is run again and ends; the next revision prunes it.
MANIFESTS = {
    "steady": """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: steady}}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  serviceName: steady
  selector: {{matchLabels: {{app: steady}}}}
  template:
    metadata: {{labels: {{app: steady}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: main
          image: any:1
          command: [/bin/sh, -c, "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]
          env: [{{name: CHAOS_SITE, value: "{mark}"}}, {{name: CHAOS_POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: steady}}
spec: {{clusterIP: None, selector: {{app: steady}}, ports: [{{port: 80}}]}}
""",
    "web": """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{revision: "{revision}"}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: main
          image: any:1
          command: [/bin/sh, -c, "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]
          env: [{{name: CHAOS_SITE, value: "{mark}"}}, {{name: CHAOS_POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
""",
    "once": """\
apiVersion: v1
kind: Pod
metadata: {{name: once-{revision}}}
spec:
  restartPolicy: OnFailure
  volumes: [{{name: seen, emptyDir: {{}}}}]
  containers:
    - name: main
      image: any:1
      command: [/bin/sh, -c, "echo run >> /seen/runs; [ $(wc -l < /seen/runs) -gt 1 ] || exit {code}"]
      volumeMounts: [{{name: seen, mountPath: /seen}}]
""",
    "settings": """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{revision: "{revision}"}}
""",
}


class Process(NamedTuple):
    """A workload's process: its Pod, its id, and when it started in clock ticks since boot."""

    pod: str
    pid: int
    start: int


class Site:
    """``folder`` holds everything; ``state`` may be elsewhere (a small disk). Used as a context manager."""

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        self.state = state or folder / "state"
        self.deploy = folder / "deploy"
        self.deploy.mkdir(parents=True)
        self.revision, self.replicas = 1, 2
        #: Revisions during which no supervisor ran for a moment: what ended just then may have an unknown exit code.
        self.unsure: set[int] = set()
        self.unknown: set[str] = set()
        self.write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            self.go_on()
            self.run("up", str(self.deploy), "--detach", "--http-port", "0", "--https-port", "0")
            self.run("down", "--volumes")
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)

    @property
    def code(self) -> int:
        """The code with which this revision's ``once`` fails the first time."""
        return self.revision % 100 + 1

    def write(self) -> None:
        for name, text in MANIFESTS.items():
            beside = self.deploy / f".{name}"
            beside.write_text(
                text.format(mark=self.state, replicas=self.replicas, revision=self.revision, code=self.code)
            )  # fmt: skip
            beside.rename(self.deploy / f"{name}.yaml")

    def change(self) -> None:
        """The next revision: another template, another number of replicas, another one-shot Pod; the last one is pruned."""
        self.revision += 1
        self.replicas = 5 - self.replicas
        self.write()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end. A traceback is never right."""
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", "--state-dir", str(self.state), *arguments],
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        if check and done.returncode:
            raise subprocess.SubprocessError(f"{arguments}: {done.returncode} {done.stderr}")
        return done

    def up(self, *, wait: bool = False) -> None:
        ports = ("--http-port", "0", "--https-port", "0")
        self.run("up", str(self.deploy), "--detach", *(("--wait",) if wait else ()), *ports)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.run("get", *arguments, "-o", "json").stdout)

    def processes(self) -> list[Process]:
        """The marked processes that run on this host, but for what they started themselves."""
        marked: dict[int, tuple[str, int, int]] = {}
        mark = f"CHAOS_SITE={self.state}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if mark in environment and fields[0] not in "ZX":
                pod = next(
                    (v[10:].decode() for v in environment if v.startswith(b"CHAOS_POD=")), ""
                )
                marked[int(entry.name)] = (pod, int(fields[1]), int(fields[19]))
        return [
            Process(pod, pid, start)
            for pid, (pod, parent, start) in sorted(marked.items())
            if parent not in marked
        ]

    def steady(self) -> set[Process]:
        return {p for p in self.processes() if p.pod.startswith("steady-")}

    def daemon(self) -> int:
        return int((self.state / "daemon.lock").read_text().split()[0])

    def part(self, *words: str) -> int | None:
        """The pid of the one process of this state directory whose command line holds all the words."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    line = (entry / "cmdline").read_bytes().decode(errors="replace")
                    if str(self.state) in line and all(word in line for word in words):
                        return int(entry.name)
        return None

    def kill(self, what: str, number: int = signal.SIGKILL) -> bool:
        """Send a signal to the ``daemon``, the ``supervisor`` or the ``proxy``; whether there was one."""
        words = {
            "daemon": (" -m reconciler --state-dir".replace(" ", "\0"), "\0daemon"),
            "supervisor": ("supervisor.serve",),
            "proxy": ("reconciler.daemon.proxy",),
        }
        pid = self.part(*words[what])
        if what == "supervisor":
            self.unsure.add(self.revision)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def go_on(self) -> None:
        """Let a stopped daemon run again."""
        self.kill("daemon", signal.SIGCONT)

    def converged(self) -> str:
        """What is not yet as the manifests ask; empty: all is."""
        web, once = self.get("deployment", "web"), f"once-{self.revision}"
        pods = {p["metadata"]["name"]: p for p in self.get("pods")["items"]}
        status = web.get("status", {})
        revision = web["spec"]["template"]["metadata"]["annotations"]["revision"]
        if revision != str(self.revision):
            return f"Deployment web is of revision {revision}, not {self.revision}"
        if status.get("observedGeneration") != web["metadata"]["generation"] or not (
            status.get("replicas") == status.get("updatedReplicas") == status.get("availableReplicas") == self.replicas
        ):  # fmt: skip
            return f"Deployment web: {status}"
        if once not in pods or pods[once]["status"].get("phase") != "Succeeded":
            return f"{once} has not ended"
        container = pods[once]["status"]["containerStatuses"][0]
        last = container["lastState"]["terminated"]
        unknown = last.get("reason") == "ContainerStatusUnknown"
        if unknown and self.revision in self.unsure:
            self.unknown.add(once)
        elif (container["restartCount"], last["exitCode"]) != (1, self.code):
            return f"{once}: {container}, expected one restart after exit code {self.code}"
        asked = {f"steady-{n}" for n in range(3)}
        webs = {n for n in pods if n.startswith("web-")}
        if set(pods) != asked | webs | {once}:
            return f"Pods {sorted(pods)}"
        running = Counter(p.pod for p in self.processes())
        if running != Counter(asked | webs):
            return f"processes {dict(running)}"
        if self.get("configmap", "settings")["data"]["revision"] != str(self.revision):
            return "ConfigMap settings is old"
        return ""

    def until_converged(self, seconds: float = 90) -> None:
        """Wait until everything is as asked. Raises ``AssertionError`` that says what is not."""
        eventually(self.converged, seconds)

    def none_twice(self) -> None:
        """No Pod runs in two processes."""
        twice = {pod: n for pod, n in Counter(p.pod for p in self.processes()).items() if n > 1}
        assert not twice, f"run twice: {twice}"


def eventually(problem: Callable[[], str], seconds: float) -> None:
    """Poll until ``problem()`` is empty. Raises ``AssertionError`` with the last one after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            what = problem()
        except (subprocess.SubprocessError, OSError, ValueError, LookupError) as error:
            what = repr(error)
        if not what:
            return
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
