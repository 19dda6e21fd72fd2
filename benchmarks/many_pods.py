"""Many Pods on the ``process`` runtime: how long they take, what they hold, and what they cost while nothing happens.

    python benchmarks/many_pods.py [PODS [SECONDS]]

PODS (500) Pods of ten Deployments that sleep. Start and end are from the command's start until all run, and until nothing is left.
Idle CPU is that of everything that keeps them (daemon, proxy, supervisor, holders) over SECONDS (30), in percent of one core.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beside_supervisord import MANIFEST, keepers, pss, sleeps

DEPLOYMENTS = 10


def run(state: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "reconciler", "--state-dir", str(state), *arguments],
        check=True, capture_output=True,
    )  # fmt: skip


def cpu(pids: set[int]) -> float:
    """Return the CPU seconds of processes and of the children that they have waited for."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def main() -> None:
    pods = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    mark = 4_000_000 + os.getpid()
    with tempfile.TemporaryDirectory() as folder:
        deploy, state = Path(folder) / "deploy", Path(folder) / "state"
        deploy.mkdir()
        for number in range(DEPLOYMENTS):
            text = MANIFEST.format(programs=pods // DEPLOYMENTS, seconds=mark)
            text = text.replace("many", f"many-{number}")
            (deploy / f"{number}.yaml").write_text(text)
        began = time.perf_counter()
        run(state, "up", str(deploy), "--detach", "--wait", "--http-port", "0", "--https-port", "0")
        started = time.perf_counter() - began
        try:
            running = sleeps(mark)
            if len(running) != pods // DEPLOYMENTS * DEPLOYMENTS:
                raise AssertionError(f"{len(running)} run")
            kept = keepers(state, running)
            spent = cpu(kept)
            time.sleep(5)
            before = cpu(kept)
            time.sleep(seconds)
            idle = (cpu(kept) - before) / seconds
            memory = pss(kept)
        finally:
            began = time.perf_counter()
            run(state, "down")
            ended = time.perf_counter() - began
    print(json.dumps({
        "pods": pods, "start s": round(started, 2), "pods a second": round(pods / started, 1),
        "CPU s to start": round(spent, 2), "down s": round(ended, 2), "left": len(sleeps(mark)),
        "MiB of all that keeps them": round(memory, 1), "idle % of a core": round(idle * 100, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
