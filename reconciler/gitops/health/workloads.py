"""The health of what runs Pods (Argo CD's rules)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import conditions
from reconciler.api.objects import annotations_of, meta
from reconciler.gitops.health.state import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    Health,
    spec_of,
    status_of,
)
from reconciler.gitops.hooks import hook_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: Argo CD's: judge the Pod's containers as if they were restarted for ever.
IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"


def _stale(obj: Object) -> bool:
    return bool(status_of(obj).get("observedGeneration", 0) < meta(obj).get("generation", 0))


def deployment(obj: Object) -> Health:
    """Judge a Deployment by its counters; its conditions only when it has given up."""
    spec, status = spec_of(obj), status_of(obj)
    if spec.get("paused"):
        return Health(SUSPENDED, "the rollout is paused")
    if _stale(obj):
        return Health(PROGRESSING, "waiting for the rollout to begin")
    progressing = conditions.find(status.get("conditions"), "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(
            DEGRADED,
            f"the rollout exceeded its progress deadline: {progressing.get('message', '')}",
        )
    want = spec.get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < want:
        return Health(PROGRESSING, f"{updated} of {want} replicas are updated")
    if total > updated:
        return Health(PROGRESSING, f"{total - updated} old replicas are pending termination")
    if available < updated:
        return Health(PROGRESSING, f"{available} of {updated} updated replicas are available")
    return Health(HEALTHY)


def replica_set(obj: Object) -> Health:
    """Judge a ReplicaSet."""
    want, status = spec_of(obj).get("replicas", 1), status_of(obj)
    failure = conditions.find(status.get("conditions"), "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return Health(DEGRADED, str(failure.get("message", "")))
    if _stale(obj) or status.get("availableReplicas", 0) < want:
        return Health(
            PROGRESSING, f"{status.get('availableReplicas', 0)} of {want} replicas are available"
        )
    return Health(HEALTHY)


def stateful_set(obj: Object) -> Health:
    """Judge a StatefulSet; a partition that is reached is enough."""
    spec, status = spec_of(obj), status_of(obj)
    if _stale(obj):
        return Health(PROGRESSING, "waiting for the rollout to begin")
    want = spec.get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    if ready < want:
        return Health(PROGRESSING, f"{ready} of {want} replicas are ready")
    update = spec.get("updateStrategy") or {}
    if update.get("type") == "OnDelete":
        return Health(HEALTHY)
    partition = (update.get("rollingUpdate") or {}).get("partition") or 0
    updated = status.get("updatedReplicas", 0)
    if partition:
        if updated < want - partition:
            return Health(PROGRESSING, f"{updated} of {want - partition} replicas are updated")
        return Health(HEALTHY)
    if status.get("updateRevision") != status.get("currentRevision"):
        return Health(PROGRESSING, f"{updated} of {want} replicas are updated")
    return Health(HEALTHY)


def daemon_set(obj: Object) -> Health:
    """Judge a DaemonSet."""
    status = status_of(obj)
    if _stale(obj):
        return Health(PROGRESSING, "waiting for the rollout to begin")
    want = status.get("desiredNumberScheduled", 0)
    rolls = (spec_of(obj).get("updateStrategy") or {}).get("type") != "OnDelete"
    updated = status.get("updatedNumberScheduled", 0)
    if rolls and updated < want:
        return Health(PROGRESSING, f"{updated} of {want} pods are updated")
    available = status.get("numberAvailable", 0)
    if available < want:
        return Health(PROGRESSING, f"{available} of {want} pods are available")
    return Health(HEALTHY)


def pod(obj: Object) -> Health:
    """Judge a Pod; while it may restart for ever, a container that cannot run makes it Degraded."""
    spec, status = spec_of(obj), status_of(obj)
    restarts = spec.get("restartPolicy", "Always")
    asked = annotations_of(obj).get(IGNORE_RESTART_POLICY) == "true" and hook_of(obj) is None
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    if restarts == "Always" or asked:
        waiting = [(c.get("state") or {}).get("waiting") or {} for c in containers]
        stuck = [w for w in waiting if _is_error(str(w.get("reason", "")))]
        if stuck:
            return Health(DEGRADED, ", ".join(str(w.get("message") or w["reason"]) for w in stuck))
    match status.get("phase"):
        case "Succeeded":
            return Health(HEALTHY)
        case "Failed":
            return Health(
                DEGRADED, str(status.get("message") or _ended_badly(containers) or "it has failed")
            )
        case "Running" if restarts == "Always":
            if conditions.is_true(obj, "Ready"):
                return Health(HEALTHY)
            if any((c.get("lastState") or {}).get("terminated") for c in containers):
                return Health(DEGRADED, "it is not ready, and a container of it has ended before")
    return Health(PROGRESSING, "it is not ready")


def _is_error(reason: str) -> bool:
    return reason.startswith("Err") or reason.endswith(("Error", "BackOff"))


def _ended_badly(containers: list[dict[str, Any]]) -> str:
    """Say how the first container failed."""
    for container in containers:
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("message"):
            return str(ended["message"])
        if ended.get("reason") == "OOMKilled":
            return "OOMKilled"
        if ended.get("exitCode"):
            return f"container {container.get('name')!r} failed with exit code {ended['exitCode']}"
    return ""


def job(obj: Object) -> Health:
    """Judge a Job: Progressing until it has ended."""
    status = status_of(obj)
    failed = conditions.find(status.get("conditions"), "Failed")
    if failed and failed.get("status") == "True":
        return Health(DEGRADED, str(failed.get("message", "")))
    if conditions.is_true(obj, "Complete"):
        return Health(HEALTHY)
    if spec_of(obj).get("suspend"):
        return Health(SUSPENDED)
    wanted = spec_of(obj).get("completions")
    done = f"{status.get('succeeded', 0)} of {1 if wanted is None else wanted}"
    return Health(PROGRESSING, f"{done} completions are reached")


def cron_job(obj: Object) -> Health:
    """Judge a CronJob by its last run; one that is suspended, or has never had a run to judge, is well."""
    spec, status = spec_of(obj), status_of(obj)
    if spec.get("suspend"):
        return Health(HEALTHY, "it is suspended")
    scheduled, succeeded = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    # RFC 3339 in UTC: as text they compare as times.
    if scheduled and succeeded and not status.get("active") and succeeded < scheduled:
        return Health(DEGRADED, "its last run has not succeeded")
    return Health(HEALTHY)
