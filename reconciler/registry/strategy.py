"""What an API server does to an object's metadata and status on its way in: one pure function a step.

Kubernetes calls these the registry's strategies (``PrepareForCreate``, ``PrepareForUpdate``, ``BeforeDelete``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.pods import with_condition
from reconciler.api.quantities import parse
from reconciler.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object

#: What a caller cannot set: the server's word stands.
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
DEFAULT_GRACE_SECONDS = 30

_KEEPS_STATUS_ON_CREATE = frozenset({"Node"})
_PROTECTION = {
    "PersistentVolumeClaim": "kubernetes.io/pvc-protection",
    "PersistentVolume": "kubernetes.io/pv-protection",
}


def prepare_create(obj: Object, kind: Kind, uid: str, now: float) -> None:
    """Fill in what the server gives a new object (the caller's own copy)."""
    meta = obj["metadata"]
    for field in (*_SERVER_OWNED, "resourceVersion", "managedFields"):
        meta.pop(field, None)
    meta["uid"] = uid
    meta["creationTimestamp"] = rfc3339(now)
    if kind.generation:
        meta["generation"] = 1
    if kind.status and kind.kind not in _KEEPS_STATUS_ON_CREATE:
        obj.pop("status", None)
        initial = initial_status(obj)
        if initial:
            obj["status"] = initial
    finalizer = _PROTECTION.get(kind.kind)
    if finalizer and not kind.group and finalizer not in meta.get("finalizers", ()):
        meta["finalizers"] = [*meta.get("finalizers", ()), finalizer]


def initial_status(obj: Object) -> dict[str, Any]:
    """Return the status that an object is born with."""
    match obj["kind"]:
        case "Pod":
            return {"phase": "Pending", "qosClass": qos_class(obj.get("spec") or {})}
        case "PersistentVolumeClaim" | "PersistentVolume":
            return {"phase": "Pending"}
        case "Namespace":
            return {"phase": "Active"}
        case "Service" | "Ingress":
            return {"loadBalancer": {}}
    return {}


def qos_class(spec: dict[str, Any]) -> str:
    """Return a Pod's quality of service class (BestEffort, Burstable, Guaranteed)."""
    guaranteed = True
    anything = False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            request, limit = requests.get(name), limits.get(name)
            anything = anything or request is not None or limit is not None
            if limit is None or (request is not None and parse(request) != parse(limit)):
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def prepare_update(after: Object, before: Object, kind: Kind) -> None:
    """Put back what a caller cannot change, and count the generation (M01)."""
    meta, old = after["metadata"], before["metadata"]
    for field in _SERVER_OWNED:
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    if kind.status:
        if "status" in before:
            after["status"] = before["status"]
        else:
            after.pop("status", None)
    if kind.generation and spec_changed(after, before):
        meta["generation"] = old.get("generation", 0) + 1


def with_status(before: Object, given: Object) -> Object:
    """Return the object with only its status (and, as in Kubernetes, nothing of its spec) replaced."""
    after = {**before, "metadata": dict(before["metadata"])}
    if "status" in given:
        after["status"] = given["status"]
    else:
        after.pop("status", None)
    return after


def bound(before: Object, given: Object, now: float) -> Object:
    """Return the Pod assigned to a node, and its condition PodScheduled true: one write, as a Binding is."""
    new = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(now)}
    status = before.get("status") or {}
    return {
        **before,
        "metadata": dict(before["metadata"]),
        "spec": {**before["spec"], "nodeName": given["spec"]["nodeName"]},
        "status": {
            **status, "conditions": with_condition(status.get("conditions") or [], new)
        },
    }  # fmt: skip


def spec_changed(after: Object, before: Object) -> bool:
    """Whether anything but metadata and status differs."""
    if before is after:
        return False
    for field in after.keys() | before.keys():
        if field in ("metadata", "status"):
            continue
        new, old = after.get(field), before.get(field)
        if new is not old and new != old:
            return True
    return False


def is_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


class Deletion(NamedTuple):
    """What a request for deletion comes to: gone now, or an object that waits (``after``; None = nothing changes)."""

    gone: bool
    after: Object | None = None


def prepare_delete(before: Object, kind: Kind, options: DeleteOptions, now: float) -> Deletion:
    """Decide a deletion (P30, G01-G05, M11): grace for scheduled Pods, finalizers for everything."""
    old = before["metadata"]
    finalizers = list(old.get("finalizers") or ())
    if options.propagation is Propagation.FOREGROUND and FOREGROUND not in finalizers:
        finalizers.append(FOREGROUND)
    if options.propagation is Propagation.ORPHAN and ORPHAN not in finalizers:
        finalizers.append(ORPHAN)
    grace = _grace(before, kind, options)
    held = bool(finalizers) or (kind is kinds.NAMESPACE and bool(_namespace_finalizers(before)))
    if grace == 0 and not held:
        return Deletion(gone=True)
    meta = {**old, "finalizers": finalizers} if finalizers else dict(old)
    deadline = old.get("deletionTimestamp")
    if deadline is None:
        meta["deletionTimestamp"] = rfc3339(math.ceil(now + grace))
        meta["deletionGracePeriodSeconds"] = grace
        if kind.generation:
            meta["generation"] = old.get("generation", 0) + 1
    elif grace < old.get("deletionGracePeriodSeconds", 0):
        # A second request may only shorten the grace (P31).
        start = parse_rfc3339(deadline) - old.get("deletionGracePeriodSeconds", 0)
        meta["deletionTimestamp"] = rfc3339(max(start + grace, min(now, parse_rfc3339(deadline))))
        meta["deletionGracePeriodSeconds"] = grace
    if meta == old:
        return Deletion(gone=False)
    after = {**before, "metadata": meta}
    if kind is kinds.NAMESPACE:
        after["status"] = {**(before.get("status") or {}), "phase": "Terminating"}
    return Deletion(gone=False, after=after)


def _grace(obj: Object, kind: Kind, options: DeleteOptions) -> int:
    if kind is not kinds.POD:
        return 0
    spec = obj.get("spec") or {}
    if not spec.get("nodeName") or is_finished(obj):
        return 0
    if options.grace_seconds is not None:
        return max(options.grace_seconds, 0)
    grace = spec.get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE_SECONDS if grace is None else int(grace)


def _namespace_finalizers(obj: Object) -> list[str]:
    return (obj.get("spec") or {}).get("finalizers") or []


def may_go(after: Object, kind: Kind) -> bool:
    """Whether an object whose deletion was asked for has nothing left that holds it."""
    meta = after["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if kind is kinds.NAMESPACE:
        return not _namespace_finalizers(after)
    return not meta.get("deletionGracePeriodSeconds")
