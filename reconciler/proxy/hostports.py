"""The ports of the host that Pods ask for by ``hostPort``. Pure.

A Pod has them from when it has an address until it is deleted: whoever comes later is refused rather than cut. A Pod on the host's
own network (``hostNetwork``) listens there by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.proxy.listeners import Endpoint, Listener, PortKey, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: Addresses that stand for all of the host's: those that the proxy listens on.
_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound


def wants_host_ports(pod: Object) -> bool:
    """Whether a Pod asks for a port of the host that somebody else has to serve."""
    return any(_ports(pod))


def host_ports_of(pod: Object) -> dict[Listener, tuple[ServicePort, Endpoint]]:
    """Return what is listened on for a Pod, and where each connection goes."""
    meta, status = pod["metadata"], pod.get("status") or {}
    address = status.get("podIP")
    ended = status.get("phase") in ("Succeeded", "Failed")
    if not address or ended or meta.get("deletionTimestamp"):
        return {}
    found: dict[Listener, tuple[ServicePort, Endpoint]] = {}
    for port in _ports(pod):
        host = str(port.get("hostIP") or "")
        protocol = port.get("protocol") or "TCP"
        listener = Listener("" if host in _ANY else host, port["hostPort"], protocol, outside=True)
        key = PortKey(meta["namespace"], f"Pod/{meta['name']}", f"{protocol}/{port['hostPort']}")
        found[listener] = (
            ServicePort(key, port["hostPort"]),
            Endpoint(address, port["containerPort"]),
        )
    return found


def _ports(pod: Object) -> Iterator[dict[str, Any]]:
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*sidecars, *(spec.get("containers") or ())]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port
