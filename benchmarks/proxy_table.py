"""What a proxy weighs with many Services and endpoints, and what one change costs it then.

    python benchmarks/proxy_table.py [SERVICES]

SERVICES (1,000) with ten ready endpoints each are listened on, on real sockets; then one endpoint of one Service comes and goes. The same
for twice as many: the ratio says whether a change costs what changed or what there is. Memory is PSS: sockets count in the kernel.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.relay import Host

ENDPOINTS = 10
CHANGES = 2_000


def memory() -> float:
    """Return this process's share of memory, in MiB."""
    text = Path("/proc/self/smaps_rollup").read_text()
    (line,) = [one for one in text.splitlines() if one.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def service(number: int) -> dict[str, Any]:
    address = f"127.96.{number // 250}.{number % 250 + 1}"
    meta = {"namespace": "default", "name": f"web-{number}", "creationTimestamp": "2026-01-01"}
    spec = {
        "clusterIP": address, "type": "ClusterIP", "selector": {"app": f"web-{number}"},
        "ports": [{"name": "http", "port": 8080, "targetPort": "http", "protocol": "TCP"}],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def piece(number: int, count: int = ENDPOINTS) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": f"web-{number}"}
    endpoints = [
        {
            "addresses": [f"10.{number // 250}.{number % 250}.{e + 1}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": "node", "targetRef": {"kind": "Pod", "namespace": "default", "name": f"web-{number}-{e}"},
        }
        for e in range(count)
    ]  # fmt: skip
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": "default", "name": f"web-{number}-x", "labels": labels},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


async def weigh(services: int) -> dict[str, float]:
    """Be a proxy with so many Services; returns its figures."""
    from reconciler.clock import SystemClock, SystemEntropy
    from reconciler.proxy import Proxy
    from reconciler.proxy.mirror import Mirror

    mirror = Mirror(Proxy.KINDS)
    made = Proxy(
        mirror, Host(), clock=SystemClock(), entropy=SystemEntropy(), http_port=0, https_port=0,
        dns_address="127.96.250.250",
    )  # fmt: skip
    running = asyncio.create_task(made.run())
    await made.ready.wait()
    empty, began = memory(), time.process_time()
    for number in range(services):
        # As they come over the link: nothing of one is shared with another.
        mirror.put(json.loads(json.dumps(service(number))))
        mirror.put(json.loads(json.dumps(piece(number))))
    while len(made.sockets.open()) < services + 2:
        await asyncio.sleep(0.01)
    filled, full = time.process_time() - began, memory()
    began = time.process_time()
    for turn in range(CHANGES):
        mirror.put(piece(turn % services, ENDPOINTS - 1))
        mirror.put(piece(turn % services))
    change = (time.process_time() - began) / CHANGES / 2
    running.cancel()
    await asyncio.wait([running])
    return {
        "services": services,
        "endpoints": services * ENDPOINTS,
        "MiB before": round(empty, 1),
        "MiB after": round(full, 1),
        "KiB a Service with its endpoints": round((full - empty) * 1024 / services, 1),
        "CPU ms to fill": round(filled * 1e3, 1),
        "CPU microseconds a change": round(change * 1e6, 1),
    }


def measure(services: int) -> dict[str, Any]:
    """Return the figures of a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.proxy_table", "--weigh", str(services)]
    done = subprocess.run(
        argv, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--weigh"]:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        print(json.dumps(asyncio.run(weigh(int(sys.argv[2])))))
        return
    services = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    once, twice = measure(services), measure(2 * services)
    ratio = twice["CPU microseconds a change"] / once["CPU microseconds a change"]
    print(json.dumps(once))
    print(json.dumps({**twice, "a change costs, of the one before": round(ratio, 2)}))


if __name__ == "__main__":
    main()
