"""The node's network where namespaces are forbidden: addresses of 127.0.0.0/8 on the host itself.

Every address of that network is the host's own and can be bound by anybody. A Pod gets one and hears of it as
``$POD_IP``: its programs must bind that address, for nothing keeps two Pods apart on ``0.0.0.0``.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import zlib
from typing import TYPE_CHECKING, Any

from . import addresses, holders, origin, records, remains

if TYPE_CHECKING:
    from pathlib import Path

_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


def ranges(path: Path, pod_cidr: str, service_cidr: str) -> tuple[str, str]:
    """Return the ranges of Pods and Services: those asked for where they lie in 127.0.0.0/8, else two of this node's.

    All nodes of a host share its loopback, so each takes its ranges by where its state lies.
    """
    place = zlib.crc32(os.fsencode(path)) % 60
    own = (f"127.{64 + place}.0.0/16", f"127.{128 + place}.0.0/16")
    asked = (pod_cidr, service_cidr)
    inside = (ipaddress.IPv4Network(cidr).subnet_of(_LOOPBACK) for cidr in asked)
    pods, services = (a if fits else o for a, o, fits in zip(asked, own, inside, strict=True))
    return pods, services


class LoopbackNetwork:
    """Offers what ``node.NodeNetwork`` offers, without a namespace; found again by its holder."""

    isolated = False
    fresh = False  # its addresses are the host's, whoever holds them
    rootless = True
    own_pids = False

    def __init__(self, path: Path, pod_cidr: str, service_cidr: str, problem: str) -> None:
        pods, services = ranges(path, pod_cidr, service_cidr)
        self.pods = ipaddress.IPv4Network(pods)
        self.services = ipaddress.IPv4Network(services)
        self.problem = problem
        self._path = path
        self._pool = addresses.Pool(self.pods)
        self._origin = origin.name_of(path.parent)
        record = records.read(path)
        holder = record.get("holder")
        if records.is_identity(holder) and records.lives(record["holder"]):
            self.holder = int(record["holder"]["pid"])
        else:
            mark = remains.mark(self._origin)
            self.holder, near = holders.hold("reconciler-node", lambda _: None, mark=mark)
            near.close()
            holder = records.identity(self.holder)
            records.write(path, {"holder": holder, "rootless": True, "loopback": problem})

    def take(self, used: set[str]) -> str:
        """Return a free address."""
        return self._pool.take(used)

    def plug(self, address: str, hostname: str, own: holders.Own, sandbox: str) -> int:
        """Return the pid of a Pod's holder; there is no network to be made."""
        del address, hostname
        return self.host(own, sandbox)

    def host(self, own: holders.Own, sandbox: str) -> int:
        """Return the pid of the holder of a Pod in the host's network."""
        del own
        mark = remains.mark(self._origin, sandbox)
        pid, near = holders.hold("reconciler-pod", lambda _: None, mark=mark)
        near.close()
        return pid

    def sockets(self, request: dict[str, Any]) -> list[int]:
        """Make sockets, bound and listening where asked."""
        return [addresses.make_socket(request).detach() for _ in range(request["count"])]

    def end(self) -> None:
        """End the holder."""
        # It may be an earlier supervisor's child, and have ended.
        records.send(records.read(self._path).get("holder") or {}, signal.SIGKILL)
