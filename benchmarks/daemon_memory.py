"""What a daemon and its Pods hold in memory: idle, and with PODS Pods on the ``process`` runtime.

    python benchmarks/daemon_memory.py [PODS]

Prints the proportional set size (PSS: shared pages are divided among who shares them) of the daemon, and the private
memory that the supervisor and the Pods' holders need a Pod. The Pods' own programs (``sleep``) are not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "reconciler"]
ROOT = Path(__file__).parents[1]

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {{name: sleep, image: sleep, command: [sleep, infinity]}}
"""


def memory(pid: int) -> tuple[float, float]:
    """Return (PSS, private) of a process in MiB."""
    found = {"Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0])
    return found["Pss"] / 1024, (found["Private_Clean"] + found["Private_Dirty"]) / 1024


def machinery(daemon: int) -> list[int]:
    """Return the supervisor and the holders that belong to this state directory."""
    state = os.environ["RECONCILER_STATE_DIR"]
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == daemon:
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if state in command and "supervisor" in command:
            found.append(int(entry.name))
    children = []
    for pid in found:
        tasks = Path(f"/proc/{pid}/task/{pid}/children")
        children += [int(c) for c in tasks.read_text().split()] if tasks.exists() else []
    return [*found, *(c for c in children if c not in found)]


def run(*arguments: str) -> str:
    return subprocess.run(
        [*COMMAND, *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def main() -> None:
    pods = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RECONCILER_STATE_DIR"] = f"{folder}/state"
        path = Path(folder) / "many"
        path.mkdir()
        manifest = path / "many.yaml"
        for count in (0, pods):
            manifest.write_text(MANIFEST.format(pods=count))
            run("up", str(path), "--detach", "--wait", "--http-port", "0", "--https-port", "0")
            time.sleep(3)
            daemon = json.loads(run("status", "-o", "json"))["pid"]
            pss, private = memory(daemon)
            print(f"{count:>4} Pods: daemon PSS {pss:6.1f} MiB, private {private:6.1f} MiB")
        others = sum(
            memory(pid)[1] for pid in machinery(daemon) if Path(f"/proc/{pid}/exe").exists()
        )
        print(f"supervisor, holders and programs: {others / pods:.2f} MiB private a Pod")
        run("down", "--volumes")


if __name__ == "__main__":
    main()
