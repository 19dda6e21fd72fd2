"""Start, update and teardown of a Deployment, and what a probe costs, beside ``podman kube play`` in the same run. Needs root.

    apt-get install podman runc conmon containernetworking-plugins catatonit
    python benchmarks/beside_podman.py [REPLICAS]

The manifest is the same file for both: REPLICAS (3) Pods of one container that sleeps, with the host's /usr mounted, in an image
without content of its own. Each time is from the start of the command (of the write, for our update) until the processes are there
or gone. Ours starts from nothing, its daemon included; ``kube play`` has none. A probe runs ``true`` in the container: ours as an
exec probe each second, podman's by ``podman healthcheck run``, which its timers call (systemd's) and which here we call.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from beside_supervisord import keepers, sleeps, until

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = "localhost/reconciler-bench:1"
PODS_PROBED = 20
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: sleep
          image: {image}
          command: [sleep, "{seconds}"]
          {probe}
          volumeMounts: [{{name: usr, mountPath: /usr, readOnly: true}}]
      volumes: [{{name: usr, hostPath: {{path: /usr}}}}]
"""
PROBE = "livenessProbe: {exec: {command: ['true']}, periodSeconds: 1}"
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def took(begin: Callable[[], object], done: Callable[[], object]) -> float:
    """Return the seconds from the start of one thing until another is so."""
    began = time.perf_counter()
    begin()
    done()
    return time.perf_counter() - began


def manifest(path: Path, replicas: int, seconds: int, probe: str = "") -> None:
    text = MANIFEST.format(replicas=replicas, image=IMAGE, seconds=seconds, probe=probe)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.rename(path)


class Ours:
    """A state directory and its daemon."""

    def __init__(self, folder: Path) -> None:
        self.deploy, self.state = folder / "deploy", folder / "state"
        self.deploy.mkdir()
        self.file = self.deploy / "many.yaml"

    def run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "reconciler", "--state-dir", str(self.state), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def up(self) -> None:
        self.run("up", str(self.deploy), "--detach", "--wait", "--http-port", "0", "--https-port", "0")  # fmt: skip

    def times(self, replicas: int, seconds: int) -> dict[str, float]:
        manifest(self.file, replicas, seconds)
        start = took(self.up, lambda: until(seconds, replicas))
        update = took(
            lambda: manifest(self.file, replicas, seconds + 1),
            lambda: (until(seconds + 1, replicas), until(seconds, 0)),
        )
        teardown = took(lambda: self.run("down"), lambda: until(seconds + 1, 0))
        return {"start": start, "update": update, "teardown": teardown}

    def probe(self, seconds: int) -> float:
        """Return CPU milliseconds a probe, of everything that keeps the Pods."""
        spent = []
        for probe in ("", PROBE):
            manifest(self.file, PODS_PROBED, seconds, probe)
            self.up()
            time.sleep(3)
            pids = keepers(self.state, sleeps(seconds))
            before = sum(map(_cpu, pids))
            time.sleep(10)
            spent.append(sum(map(_cpu, pids)) - before)
        self.run("down")
        return (spent[1] - spent[0]) / (PODS_PROBED * 10) * 1000


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process and of the children that it has waited for."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


class Podman:
    """A private instance of podman."""

    def __init__(self, folder: Path) -> None:
        self._base = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp"]  # fmt: skip
        config = folder / "containers.conf"
        config.write_text(CONTAINERS_CONF)
        self._environment = {**os.environ, "CONTAINERS_CONF": str(config)}
        self.file = folder / "many.yaml"
        archive = folder / "image.tar"
        archive.write_bytes(_host_image())
        self.run("import", "--change", "ENV PATH=/usr/bin:/bin", str(archive), IMAGE)

    def run(self, *arguments: str) -> None:
        done = subprocess.run([*self._base, *arguments], env=self._environment, capture_output=True, text=True, check=False)  # fmt: skip
        if done.returncode:
            raise ChildProcessError(f"podman {arguments[0]}: {done.stderr}")

    def times(self, replicas: int, seconds: int) -> dict[str, float]:
        manifest(self.file, replicas, seconds)
        play = ("kube", "play", "--network", "none")
        # Once unmeasured: the first makes the infrastructure's image.
        self.run(*play, str(self.file))
        self.run("kube", "down", str(self.file))
        start = took(lambda: self.run(*play, str(self.file)), lambda: until(seconds, replicas))
        manifest(self.file, replicas, seconds + 1)
        update = took(
            lambda: self.run(*play, "--replace", str(self.file)),
            lambda: (until(seconds + 1, replicas), until(seconds, 0)),
        )
        teardown = took(
            lambda: self.run("kube", "down", str(self.file)), lambda: until(seconds + 1, 0)
        )
        return {"start": start, "update": update, "teardown": teardown}

    def probe(self, seconds: int, times: int = 20) -> float:
        """Return CPU milliseconds a probe."""
        self.run(
            "run", "-d", "--name", "probed", "--network", "none", "-v", "/usr:/usr:ro",
            "--health-cmd", "true", "--health-interval", "disable", IMAGE, "sleep", str(seconds),
        )  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(times):
            self.run("healthcheck", "run", "probed")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run("rm", "-f", "-t", "0", "probed")
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return spent / times * 1000


def _host_image() -> bytes:
    """Return an image's file system that has nothing of its own: its /bin and /lib are the host's below /usr."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("usr", "tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
    return data.getvalue()


def main() -> None:
    replicas = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = 3_000_000 + os.getpid() * 2
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as two,
    ):
        us, them = Ours(Path(one)), Podman(Path(two))
        our, their = us.times(replicas, seconds), them.times(replicas, seconds)
        our["probe"], their["probe"] = us.probe(seconds), them.probe(seconds)
    for what, unit in (("start", "s"), ("update", "s"), ("teardown", "s"), ("probe", "ms CPU")):
        print(json.dumps({
            "what": what, "replicas": replicas, "unit": unit, "ours": round(our[what], 3),
            "podman": round(their[what], 3), "ratio": round(our[what] / their[what], 2),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
