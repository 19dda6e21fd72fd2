"""How an object is: ``health`` (does it serve? Argo CD's rules) and ``reconciled`` (was it done? kstatus). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import conditions
from reconciler.api.objects import annotations_of, is_deleting, meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object

HEALTHY = "Healthy"
PROGRESSING = "Progressing"
DEGRADED = "Degraded"
SUSPENDED = "Suspended"
MISSING = "Missing"
UNKNOWN = "Unknown"

#: From best to worst: an Application is as healthy as its worst object (Argo CD's order).
_ORDER = (HEALTHY, SUSPENDED, PROGRESSING, MISSING, DEGRADED, UNKNOWN)


class Health(NamedTuple):
    """One object's health, and why where it is not healthy."""

    status: str
    message: str = ""


class Reconciled(NamedTuple):
    """kstatus: Current, InProgress, Failed, Terminating or NotFound."""

    status: str
    message: str = ""


def worst(healths: list[Health]) -> Health:
    """Return the worst of several; nothing at all is healthy."""
    return max(healths, key=lambda h: _ORDER.index(h.status), default=Health(HEALTHY))


def health(obj: Object | None) -> Health:
    """Return an object's health; None is Missing."""
    if obj is None:
        return Health(MISSING, "it does not exist")
    if is_deleting(obj):
        return Health(PROGRESSING, "it is being deleted")
    rule = _RULES.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    return rule(obj) if rule is not None else Health(HEALTHY)


def reconciled(obj: Object | None) -> Reconciled:
    """Return whether an object's controller has done what its spec asks (kstatus)."""
    if obj is None:
        return Reconciled("NotFound", "it does not exist")
    if is_deleting(obj):
        return Reconciled("Terminating", "it is being deleted")
    status = obj.get("status") or {}
    seen = status.get("observedGeneration")
    if seen is not None and seen < meta(obj).get("generation", 0):
        return Reconciled("InProgress", "its controller has not seen the newest generation")
    now = health(obj)
    match now.status:
        case "Degraded":
            return Reconciled("Failed", now.message)
        case "Progressing":
            if obj.get("kind") == "PersistentVolumeClaim":
                # A claim that waits for its first consumer would otherwise hold up that consumer.
                return Reconciled("Current")
            return Reconciled("InProgress", now.message)
    return Reconciled("Current")


def _spec(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def _status(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def _stale(obj: Object) -> bool:
    return bool(_status(obj).get("observedGeneration", 0) < meta(obj).get("generation", 0))


def _deployment(obj: Object) -> Health:
    spec, status = _spec(obj), _status(obj)
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


def _replica_set(obj: Object) -> Health:
    want, status = _spec(obj).get("replicas", 1), _status(obj)
    failure = conditions.find(status.get("conditions"), "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return Health(DEGRADED, str(failure.get("message", "")))
    if _stale(obj) or status.get("availableReplicas", 0) < want:
        return Health(
            PROGRESSING, f"{status.get('availableReplicas', 0)} of {want} replicas are available"
        )
    return Health(HEALTHY)


def _stateful_set(obj: Object) -> Health:
    spec, status = _spec(obj), _status(obj)
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


def _daemon_set(obj: Object) -> Health:
    status = _status(obj)
    if _stale(obj):
        return Health(PROGRESSING, "waiting for the rollout to begin")
    want = status.get("desiredNumberScheduled", 0)
    rolls = (_spec(obj).get("updateStrategy") or {}).get("type") != "OnDelete"
    updated = status.get("updatedNumberScheduled", 0)
    if rolls and updated < want:
        return Health(PROGRESSING, f"{updated} of {want} pods are updated")
    available = status.get("numberAvailable", 0)
    if available < want:
        return Health(PROGRESSING, f"{available} of {want} pods are available")
    return Health(HEALTHY)


def _pod(obj: Object) -> Health:
    status = _status(obj)
    for container in [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason", ""))
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            return Health(DEGRADED, str(waiting.get("message") or reason))
    match status.get("phase"):
        case "Succeeded":
            return Health(HEALTHY)
        case "Failed":
            return Health(DEGRADED, str(status.get("message") or "it has failed"))
        case "Running" if conditions.is_true(obj, "Ready"):
            return Health(HEALTHY)
    return Health(PROGRESSING, "it is not ready")


def _service(obj: Object) -> Health:
    if _spec(obj).get("type") == "LoadBalancer":
        return _load_balanced(obj)
    return Health(HEALTHY)


def _load_balanced(obj: Object) -> Health:
    if (_status(obj).get("loadBalancer") or {}).get("ingress"):
        return Health(HEALTHY)
    return Health(PROGRESSING, "it has no address yet")


def _claim(obj: Object) -> Health:
    match _status(obj).get("phase"):
        case "Bound":
            return Health(HEALTHY)
        case "Lost":
            return Health(DEGRADED, "its volume is gone")
    return Health(PROGRESSING, "it is not bound")


def _volume(obj: Object) -> Health:
    if _status(obj).get("phase") == "Failed":
        return Health(DEGRADED, str(_status(obj).get("message", "")))
    return Health(HEALTHY)


def _job(obj: Object) -> Health:
    status = _status(obj)
    failed = conditions.find(status.get("conditions"), "Failed")
    if failed and failed.get("status") == "True":
        return Health(DEGRADED, str(failed.get("message", "")))
    if conditions.is_true(obj, "Complete"):
        return Health(HEALTHY)
    if _spec(obj).get("suspend"):
        return Health(SUSPENDED)
    wanted = _spec(obj).get("completions")
    done = f"{status.get('succeeded', 0)} of {1 if wanted is None else wanted}"
    return Health(PROGRESSING, f"{done} completions are reached")


def _application(obj: Object) -> Health:
    found = _status(obj).get("health") or {}
    return Health(found.get("status", UNKNOWN), found.get("message", ""))


_RULES: dict[tuple[str, str], Callable[[Object], Health]] = {
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("networking.k8s.io/v1", "Ingress"): lambda o: (
        _load_balanced(o)
        if not annotations_of(o).get("kubernetes.io/ingress.class")
        else Health(HEALTHY)
    ),
    ("v1", "PersistentVolumeClaim"): _claim,
    ("v1", "PersistentVolume"): _volume,
    ("batch/v1", "Job"): _job,
    ("reconciler.dev/v1", "Application"): _application,
}
