"""How fast Deployments become ready Pods when no process has to be started: the control plane's own speed.

    python benchmarks/pods_on_memory.py [PODS] [DEPLOYMENTS]

Runs the registry, controllers, scheduler and kubelet on the memory runtime and prints Pods a second, for PODS and for
half of them: equal figures mean a cost that is linear in N.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from reconciler.api import kinds
from reconciler.daemon import collector
from tests.simulation.plane import ControlPlane, deployment


async def measure(pods: int, deployments: int) -> tuple[float, float]:
    """Return Pods a second, and a CPU second, from the first apply to the last Pod ready."""
    with tempfile.TemporaryDirectory() as folder:
        async with ControlPlane(Path(folder)).running() as plane:
            started, spent = time.perf_counter(), time.process_time()
            for number in range(deployments):
                await plane.registry.apply(
                    deployment(f"app-{number}", pods // deployments), field_manager="benchmark"
                )
            want = pods // deployments * deployments
            ready = 0
            while ready < want:
                await asyncio.sleep(0.25)
                # What the Deployments say: to look at every Pod would be a part of what is measured.
                found = plane.cache.snapshot.list(kinds.DEPLOYMENT, "default")
                ready = sum((d.get("status") or {}).get("readyReplicas", 0) for d in found)
            return want / (time.perf_counter() - started), want / (time.process_time() - spent)


def main() -> None:
    pods = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    deployments = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    collector.tune()
    rates = []
    for number in (pods // 2, pods):
        wall, cpu = asyncio.run(measure(number, deployments))
        print(
            f"{number:>7} Pods from {deployments} Deployments: {wall:8.0f} Pods/s, {cpu:8.0f} a CPU second"
        )
        rates.append(cpu)
    half, full = rates
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"ratio a CPU second {full / half:.2f} (1.00 = linear); peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
