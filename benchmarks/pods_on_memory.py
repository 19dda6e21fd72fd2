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

from reconciler.daemon import collector
from tests.simulation.plane import ControlPlane, deployment


async def measure(pods: int, deployments: int) -> float:
    """Return Pods a second from the first apply to the last Pod ready."""
    with tempfile.TemporaryDirectory() as folder:
        async with ControlPlane(Path(folder)).running() as plane:
            started = time.perf_counter()
            for number in range(deployments):
                await plane.registry.apply(
                    deployment(f"app-{number}", pods // deployments), field_manager="benchmark"
                )
            want = pods // deployments * deployments
            while True:
                await asyncio.sleep(0.25)
                if len(plane.pods()) == want and len(plane.ready_pods()) == want:
                    break
            return want / (time.perf_counter() - started)


def main() -> None:
    pods = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    deployments = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    collector.tune()
    half = asyncio.run(measure(pods // 2, deployments))
    print(f"{pods // 2:>7} Pods from {deployments} Deployments: {half:8.0f} Pods/s")
    full = asyncio.run(measure(pods, deployments))
    print(f"{pods:>7} Pods from {deployments} Deployments: {full:8.0f} Pods/s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"ratio of the rates {full / half:.2f} (1.00 = linear); peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
