"""The Node object of this machine. Pure."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: Pods that one node takes.
MOST_PODS = 1000


def node_object(
    name: str,
    address: str,
    runtime: str,
    pod_cidr: str,
    *,
    cpu: int,
    memory: int,
    now: float,
) -> Object:
    """Return the Node (K01). ``cpu`` is millicores, ``memory`` bytes; the memory runtime's node is as large as asked."""
    resources = {
        "cpu": f"{cpu}m",
        "memory": str(memory),
        "pods": str(MOST_PODS if runtime != "memory" else 1_000_000),
    }
    conditions = [
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    machine = platform.machine()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    at = rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture,
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "capacity": resources,
            "allocatable": resources,
            "conditions": [
                {
                    "type": kind, "status": status, "reason": reason, "message": message,
                    "lastHeartbeatTime": at, "lastTransitionTime": at,
                }
                for kind, status, reason, message in conditions
            ],
            "nodeInfo": {
                "architecture": architecture,
                "operatingSystem": "linux",
                "kernelVersion": platform.release(),
                "osImage": "Linux",
                "containerRuntimeVersion": f"{runtime}://{__version__}",
                "kubeletVersion": f"v1.36.0-reconciler.{__version__}",
                "kubeProxyVersion": "",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }  # fmt: skip
