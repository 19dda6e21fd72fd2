"""A Pod's status is written, and the Pod itself let go of once nothing of it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions
from reconciler.api.objects import Object, uid_of
from reconciler.errors import ApiError, Conflict, NotFound
from reconciler.kubelet.observed import CONTAINER_FIELDS
from reconciler.kubelet.status import DEADLINE

if TYPE_CHECKING:
    from reconciler.kubelet.scope import PodScope

log = structlog.get_logger(__name__)

_BACK_OFFS = ("CrashLoopBackOff", "ImagePullBackOff")


class BackOffs:
    """Tells, once a wait, that a container is not started again yet."""

    __slots__ = ("_scope", "_told")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._told: dict[str, tuple[str, int]] = {}

    def tell(self, pod: Object, status: dict[str, Any]) -> None:
        for _, field in CONTAINER_FIELDS:
            for one in status.get(field) or ():
                waiting = one["state"].get("waiting") or {}
                what = (waiting.get("reason", ""), one["restartCount"])
                if what[0] not in _BACK_OFFS or self._told.get(one["name"]) == what:
                    continue
                self._told[one["name"]] = what
                message = waiting["message"]
                if what[0] == "CrashLoopBackOff":
                    meta = pod["metadata"]
                    where = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
                    message = f"Back-off restarting failed container {one['name']} in pod {where}"
                self._scope.event(pod, "Warning", "BackOff", message, one["name"])


async def write_status(scope: PodScope, pod: Object, status: dict[str, Any]) -> None:
    """Write the status where it differs; when somebody else wrote meanwhile, look again soon."""
    if pod.get("status") == status:
        return
    node, meta = scope.node, pod["metadata"]
    try:
        current = await node.client.get(kinds.POD, meta["name"], meta["namespace"])
        if uid_of(current) != scope.uid:
            return
        if current is not pod:
            status = _with_foreign_conditions(status, current)
        written = await node.client.update(
            {**current, "status": status}, subresource="status", field_manager="kubelet"
        )
    except NotFound:
        scope.wake()
        return
    except Conflict:
        scope.later(0.05)
        return
    if status.get("reason") == DEADLINE and (pod.get("status") or {}).get("reason") != DEADLINE:
        scope.event(pod, "Normal", DEADLINE, status["message"])
    revision = int(written["metadata"].get("resourceVersion") or 0)
    await node.cache.reached(kinds.POD, revision)


async def let_go(scope: PodScope, pod: Object) -> None:
    """Nothing of the Pod runs any more: delete its object for good (D02)."""
    meta = pod["metadata"]
    options = DeleteOptions(grace_seconds=0, uid=scope.uid)
    try:
        await scope.node.client.delete(kinds.POD, meta["name"], meta["namespace"], options)
    except (NotFound, Conflict):
        pass
    except ApiError as error:
        log.warning("pod cannot be deleted", pod=scope.where, error=str(error))
        raise


def _with_foreign_conditions(status: dict[str, Any], current: Object) -> dict[str, Any]:
    """Return our status with the conditions that others wrote since we looked."""
    ours = {c["type"] for c in status["conditions"]}
    theirs = (current.get("status") or {}).get("conditions") or ()
    extra = [c for c in theirs if c["type"] not in ours]
    return {**status, "conditions": [*status["conditions"], *extra]}
