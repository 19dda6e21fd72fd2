"""How long the ``process`` runtime takes from nothing to a running container, beside starting a bare process.

    python benchmarks/pod_start.py [COUNT]

One Pod after the other: sandbox (address, namespaces), container, start. The peer is ``subprocess.Popen`` of the same
program, run beside it; the ratio is what holds on another machine.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reconciler.clock import SystemClock
from reconciler.runtime.cri import ContainerConfig, SandboxConfig
from reconciler.runtime.process import ProcessRuntime


async def measure(count: int) -> tuple[list[float], list[float]]:
    """Return milliseconds a Pod, and a bare process."""
    pods, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        runtime = ProcessRuntime(Path(folder), clock=SystemClock())
        await runtime.open()
        sandboxes = []
        for number in range(count):
            started = time.perf_counter()
            config = SandboxConfig(
                "default", f"pod-{number}", f"uid-{number}", log_directory=f"{folder}/logs/{number}"
            )
            sandbox = await runtime.run_pod_sandbox(config)
            container = await runtime.create_container(
                sandbox.id,
                ContainerConfig(
                    "app", "sleep", command=("sleep", "infinity"), log_path="app/0.log"
                ),
            )
            await runtime.start_container(container)
            pods.append((time.perf_counter() - started) * 1000)
            sandboxes.append(sandbox)
            started = time.perf_counter()
            process = subprocess.Popen(["sleep", "infinity"])
            bare.append((time.perf_counter() - started) * 1000)
            process.kill()
            process.wait()
        for sandbox in sandboxes:
            await runtime.stop_pod_sandbox(sandbox.id)
            await runtime.remove_pod_sandbox(sandbox.id)
        await runtime.shutdown()
    return pods, bare


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    pods, bare = asyncio.run(measure(count))
    mine, peer = statistics.median(pods), statistics.median(bare)
    print(f"Pod: median {mine:.1f} ms, worst {max(pods):.1f} ms ({count} Pods)")
    print(f"bare process: median {peer:.1f} ms; ratio {mine / peer:.1f}")


if __name__ == "__main__":
    main()
