"""Who keeps an Application from being healthy: the object, its Pod and container, the reason. Pure over a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import Key, name_of, namespace_of, uid_of
from reconciler.gitops import health as healths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

_LONGEST_REASON = 300


class Culprit(NamedTuple):
    """What is told. ``pod`` and ``container`` are empty where no Pod is to blame."""

    key: Key
    message: str
    pod: str = ""
    container: str = ""
    reason: str = ""

    def __str__(self) -> str:
        told = f"{self.key}: {self.message}"
        if self.pod:
            told += f"; Pod {self.pod}"
            if self.container:
                told += f", container {self.container}"
            told += f": {self.reason}"
        return told


def find_culprit(
    rows: Iterable[tuple[Key, Object | None, healths.Health]], snapshot: Snapshot
) -> Culprit | None:
    """Return who is to blame, of objects with their health; None where all are well.

    Degraded comes before Missing before Progressing; of a workload's Pods the one that says most.
    """
    bad = [r for r in rows if r[2].status not in (healths.HEALTHY, healths.SUSPENDED)]
    if not bad:
        return None
    worst = healths.worst([r[2] for r in bad])
    key, live, health = next(r for r in bad if r[2] == worst)
    message = health.message or health.status
    if live is None:
        return Culprit(key, message)
    blamed = [b for pod in _pods(live, snapshot) if (b := _blame(pod)) is not None]
    if not blamed:
        return Culprit(key, message)
    _, pod, container, reason = max(blamed, key=lambda b: b[0])
    return Culprit(key, message, name_of(pod), container, reason[:_LONGEST_REASON])


def _pods(obj: Object, snapshot: Snapshot) -> Iterator[Object]:
    """Yield the Pods that an object controls, itself included."""
    if obj.get("kind") == "Pod":
        yield obj
        return
    uid = uid_of(obj)
    yield from snapshot.owned(kinds.POD, uid)
    if obj.get("kind") == "Deployment":
        for replica_set in snapshot.owned(kinds.REPLICA_SET, uid):
            yield from snapshot.owned(kinds.POD, uid_of(replica_set))


def _blame(pod: Object) -> tuple[int, Object, str, str] | None:
    """Return how much a Pod says about what is wrong, which container, and why; None for one that is ready."""
    status = pod.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    if (conditions.get("Ready") or {}).get("status") == "True":
        return None
    for container in [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]:
        reason = _reason(container)
        if reason:
            return 3, pod, container["name"], reason
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return 2, pod, "", f"not scheduled: {scheduled.get('message') or scheduled.get('reason')}"
    for container in status.get("containerStatuses") or ():
        if not container.get("ready"):
            return 1, pod, container["name"], "it runs, but is not ready"
    return 0, pod, "", str(status.get("message") or status.get("phase") or "it is not ready")


def _reason(container: dict[str, Any]) -> str:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    reason = str(waiting.get("reason") or "")
    if reason in ("ContainerCreating", "PodInitializing", ""):
        if not state.get("terminated") or ended.get("exitCode") == 0:
            return ""
        return f"{ended.get('reason') or 'Error'}, exit code {ended.get('exitCode')}"
    told = f"{reason}: {waiting['message']}" if waiting.get("message") else reason
    if ended.get("exitCode") is not None:
        told += f" (exit code {ended['exitCode']})"
    return told


def where(culprit: Culprit, live: Object | None) -> tuple[str, str, str] | None:
    """Return namespace, Pod and container whose log says more; None where there is none."""
    if not culprit.pod:
        return None
    return (namespace_of(live) if live else culprit.key.namespace, culprit.pod, culprit.container)
