"""What this machine is: its name, its size, its address."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import socket
from pathlib import Path

from reconciler.kubelet.names import parse_resolv_conf
from reconciler.runtime.cri import DNSConfig


def hostname() -> str:
    """Return this machine's name as an object's name."""
    name = re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower()).strip("-.")
    return name[:63] or "node"


def cpu() -> int:
    """Return what this machine computes with, in millicores."""
    return (os.cpu_count() or 1) * 1000


def memory() -> int:
    """Return this machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usage() -> tuple[int, int]:
    """Return (CPU time in nanoseconds since boot, bytes of memory in use) of this machine."""
    with open("/proc/stat") as file:  # noqa: PTH123
        user, nice, system, _, _, *more = map(int, file.readline().split()[1:8])
    ticks = user + nice + system + sum(more)
    figures = {}
    with open("/proc/meminfo") as file:  # noqa: PTH123
        for line in file:
            name, _, rest = line.partition(":")
            figures[name] = int(rest.split()[0]) * 1024
    return ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK")), figures["MemTotal"] - figures[
        "MemAvailable"
    ]


def address_for(listen: str) -> str:
    """Return the address at which others reach what listens on ``listen``."""
    return listen if listen not in ("0.0.0.0", "::") else _own_address()  # noqa: S104 - compared, not bound


def resolver() -> DNSConfig:
    """Return whom this machine asks for names."""
    try:
        return parse_resolv_conf(Path("/etc/resolv.conf").read_text(errors="replace"))
    except OSError:
        return DNSConfig()


def loopback_address(state_dir: Path) -> str:
    """Return a loopback address that is this state directory's: another daemon of this host has another."""
    digest = hashlib.sha256(os.fsencode(state_dir.absolute())).digest()
    # The lower half of 127.0.0.0/8 holds what others use: 127.0.0.1, and 127.0.0.53 of systemd.
    return f"127.{128 + digest[0] % 127}.{digest[1]}.{1 + digest[2] % 254}"


def raise_file_limit() -> None:
    """Allow as many open files as the system does: each proxied connection takes two.

    After the runtime was opened: workloads keep the limit that they would have had.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _own_address() -> str:
    """Return an address of this host that others can reach; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
