"""What a container's resources are in the files of control groups, and without them. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: Length of a period in which a container may use its share of CPU time, in microseconds (kubelet: cpuCFSQuotaPeriod).
PERIOD = 100_000
#: The kernel takes no less, in microseconds.
LEAST_QUOTA = 1000
#: So many processes and threads may a container have: a fork bomb ends there, not with the machine. (kubelet's podPidsLimit
#: knows no limit; podman's default is 2048.)
PIDS = 4096
#: The kernel's bounds of cpu.shares.
LEAST_SHARES, MOST_SHARES = 2, 262_144

Files = dict[str, str]


class Limits(NamedTuple):
    """CPU in millicores, memory in bytes; 0 = none."""

    cpu_limit: int = 0
    cpu_request: int = 0
    memory_limit: int = 0
    pids: int = PIDS


def quota(cpu_limit: int) -> int:
    """Return the microseconds of CPU time a period."""
    return max(cpu_limit * PERIOD // 1000, LEAST_QUOTA)


def shares(cpu_request: int) -> int:
    """Return the weight among those that want the CPU at once: 1024 a core; without a request the least."""
    return min(max(cpu_request * 1024 // 1000, LEAST_SHARES), MOST_SHARES)


def weight(cpu_request: int) -> int:
    """Return the same on the scale of version 2, 1 to 10000 (KEP-2254)."""
    return 1 + (shares(cpu_request) - LEAST_SHARES) * 9999 // (MOST_SHARES - LEAST_SHARES)


def version1(limits: Limits) -> dict[str, Files]:
    """Return the files to write by controller, in order."""
    cpu = {"cpu.shares": str(shares(limits.cpu_request))}
    if limits.cpu_limit:
        cpu |= {
            "cpu.cfs_period_us": str(PERIOD),
            "cpu.cfs_quota_us": str(quota(limits.cpu_limit)),
        }
    memory: Files = {}
    if limits.memory_limit:
        most = str(limits.memory_limit)
        # Memory and swap together: what is over the limit does not go to the disk.
        memory = {"memory.limit_in_bytes": most, "memory.memsw.limit_in_bytes": most}
    pids = {"pids.max": str(limits.pids)} if limits.pids else {}
    return {"cpu": cpu, "memory": memory, "pids": pids}


def version2(limits: Limits) -> dict[str, Files]:
    """Return the files to write by controller, in order."""
    cpu = {"cpu.weight": str(weight(limits.cpu_request))}
    if limits.cpu_limit:
        cpu["cpu.max"] = f"{quota(limits.cpu_limit)} {PERIOD}"
    memory: Files = {}
    if limits.memory_limit:
        # As the kubelet: whoever is over it takes the whole container along.
        memory = {
            "memory.max": str(limits.memory_limit), "memory.swap.max": "0", "memory.oom.group": "1",
        }  # fmt: skip
    pids = {"pids.max": str(limits.pids)} if limits.pids else {}
    return {"cpu": cpu, "memory": memory, "pids": pids}
