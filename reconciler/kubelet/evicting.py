"""Pods that have filled more of the disk than they may are evicted: ``emptyDir.sizeLimit`` (P35).

The kubelet's local storage eviction: it looks every ten seconds, and says why in the words of ``eviction/eviction_manager.go``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from reconciler.api import kinds, quantities
from reconciler.api.decision import Notice
from reconciler.api.objects import is_deleting, uid_of
from reconciler.api.pods import is_finished, with_condition
from reconciler.clock import rfc3339
from reconciler.errors import ApiError
from reconciler.kubelet.conditions import BY_KUBELET, DISRUPTION_TARGET, eviction_of
from reconciler.kubelet.volumes import used_bytes

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.kubelet.scope import Node

log = structlog.get_logger(__name__)

#: How often disks are looked at, in seconds.
LOOK_SECONDS = 10.0


def size_limits(pod: Object) -> dict[str, str]:
    """Return the volumes of a Pod that may take only so much of the disk, each with its limit as it is written."""
    found = {}
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("emptyDir") or {}
        if source.get("sizeLimit") is not None and not source.get("medium"):
            found[volume["name"]] = str(source["sizeLimit"])
    return found


async def evict_for_ever(node: Node) -> None:
    """Look at every Pod of a node until cancelled."""
    while True:
        await node.clock.sleep(LOOK_SECONDS)
        for pod in list(node.cache.snapshot.list(kinds.POD)):
            if pod["spec"].get("nodeName") != node.name or is_deleting(pod) or is_finished(pod):
                continue
            limits = size_limits(pod)
            if limits and not eviction_of(pod):
                await _look(node, pod, limits)


async def _look(node: Node, pod: Object, limits: dict[str, str]) -> None:
    for name, limit in limits.items():
        path = node.volumes.directory(uid_of(pod), name)
        if await asyncio.to_thread(used_bytes, path) > quantities.size_bytes(limit):
            why = f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
            try:
                await _evict(node, pod, why)
            except ApiError as error:
                log.info("pod is not evicted yet", pod=path.parts[-3], error=str(error))
            return


async def _evict(node: Node, pod: Object, why: str) -> None:
    """Say that a Pod must leave; its worker ends it."""
    meta = pod["metadata"]
    current = await node.client.get(kinds.POD, meta["name"], meta["namespace"])
    if uid_of(current) != uid_of(pod):
        return
    status = dict(current.get("status") or {})
    told = {
        "type": DISRUPTION_TARGET, "status": "True", "reason": BY_KUBELET, "message": why,
        "lastTransitionTime": rfc3339(node.clock.now()),
    }  # fmt: skip
    status["conditions"] = with_condition(list(status.get("conditions") or ()), told)
    await node.client.update(
        {**current, "status": status}, subresource="status", field_manager="kubelet"
    )
    node.recorder.record(Notice(pod, "Warning", "Evicted", why))
