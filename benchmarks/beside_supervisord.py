"""Memory, and how long a workload that was killed with -9 is away, beside supervisord in the same run.

    python -m venv /tmp/peer && /tmp/peer/bin/pip install supervisor setuptools
    python benchmarks/beside_supervisord.py /tmp/peer/bin/supervisord [PROGRAMS [KILLS]]

Both keep PROGRAMS (default 20) ``sleep``s. Memory is the proportional set size of everything that keeps them, the
``sleep``s themselves left out. A first death is restarted at once by both (the back-off comes with the second), so each
kill takes another program; its absence is measured from the kill to the start of the next process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {programs}
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: sleep, image: "any:1", command: [sleep, "{seconds}"]}}]
"""

CONFIG = """\
[supervisord]
nodaemon=true
user={user}
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[program:many]
command=sleep {seconds}
process_name=%(program_name)s_%(process_num)02d
numprocs={programs}
autorestart=true
startsecs=0
"""


def command_lines() -> dict[int, list[bytes]]:
    """Return the arguments of every process by its id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")[:-1]
    return found


def sleeps(seconds: int) -> set[int]:
    asked = [b"sleep", str(seconds).encode()]
    return {pid for pid, line in command_lines().items() if line == asked}


def until(seconds: int, number: int, more_than: set[int] | None = None) -> set[int]:
    """Wait until so many run, one of them new where ``more_than`` is given; returns them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = sleeps(seconds)
        if len(running) == number and (more_than is None or running - more_than):
            return running
        time.sleep(0.001)
    raise TimeoutError(f"{len(sleeps(seconds))} of {number} run")


def away(seconds: int, programs: int, kills: int) -> float:
    """Return for how many milliseconds a killed program is away, the median."""
    took = []
    victims = sorted(until(seconds, programs))[:kills]
    for victim in victims:
        before = sleeps(seconds)
        began = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        until(seconds, programs, before)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.2)
    return statistics.median(took)


def pss(pids: set[int]) -> float:
    """Return the proportional set size of processes together, in MiB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def keepers(folder: Path, without: set[int]) -> set[int]:
    """Return the processes that name ``folder``, and their children, but for the programs and this one."""
    named = {
        pid
        for pid, line in command_lines().items()
        if pid != os.getpid() and any(os.fsencode(folder) in part for part in line)
    }
    children = set()
    for pid in named:
        with contextlib.suppress(OSError):
            children.update(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return (named | children) - without


def ours(folder: Path, programs: int, kills: int) -> tuple[float, float]:
    """Return (MiB, milliseconds away)."""
    seconds = 1_000_000 + os.getpid()
    deploy, state = folder / "deploy", folder / "state"
    deploy.mkdir()
    (deploy / "many.yaml").write_text(MANIFEST.format(programs=programs, seconds=seconds))
    command = [sys.executable, "-m", "reconciler", "--state-dir", str(state)]
    ports = ["--http-port", "0", "--https-port", "0"]
    subprocess.run([*command, "up", str(deploy), "--detach", "--wait", *ports], check=True, capture_output=True)  # fmt: skip
    try:
        running = until(seconds, programs)
        time.sleep(3)
        return pss(keepers(state, running)), away(seconds, programs, kills)
    finally:
        subprocess.run([*command, "down"], check=True, capture_output=True)


def theirs(folder: Path, program: str, programs: int, kills: int) -> tuple[float, float]:
    """Return (MiB, milliseconds away)."""
    seconds = 2_000_000 + os.getpid()
    config = folder / "supervisord.conf"
    user = os.environ.get("USER", "root")
    config.write_text(CONFIG.format(folder=folder, programs=programs, seconds=seconds, user=user))
    with subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL) as process:
        try:
            running = until(seconds, programs)
            time.sleep(3)
            return pss(keepers(config, running)), away(seconds, programs, kills)
        finally:
            process.terminate()


def main() -> None:
    program = sys.argv[1]
    programs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    kills = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        our_memory, our_time = ours(Path(one), programs, kills)
        their_memory, their_time = theirs(Path(two), program, programs, kills)
    report = {
        "programs": programs,
        "MiB": {"ours": our_memory, "supervisord": their_memory, "ratio": our_memory / their_memory},
        "ms away": {"ours": our_time, "supervisord": their_time, "ratio": our_time / their_time},
    }  # fmt: skip
    print(json.dumps(json.loads(json.dumps(report), parse_float=lambda n: round(float(n), 2)), indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
