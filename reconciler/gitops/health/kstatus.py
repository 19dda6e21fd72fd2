"""Was an object's change done? kstatus' rules (sigs.k8s.io/cli-utils), one function a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import conditions
from reconciler.api.objects import GroupVersionKind, is_deleting, meta
from reconciler.clock import parse_rfc3339
from reconciler.gitops.health.state import spec_of, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object

CURRENT = "Current"
IN_PROGRESS = "InProgress"
FAILED = "Failed"
TERMINATING = "Terminating"
NOT_FOUND = "NotFound"

#: How long a Pod may find no Node before that counts as a failure, in seconds.
UNSCHEDULABLE_SECONDS = 15.0
_NO_DEADLINE = (1 << 31) - 1


class Reconciled(NamedTuple):
    """kstatus: Current, InProgress, Failed, Terminating or NotFound; ``reason`` is one CamelCase word."""

    status: str
    message: str = ""
    reason: str = ""


def reconciled(obj: Object | None, now: float | None = None) -> Reconciled:
    """Return whether an object's controller has done what its spec asks.

    ``now`` is seconds since the epoch; without it a Pod that finds no Node is never given up.
    """
    if obj is None:
        return Reconciled(NOT_FOUND, "it does not exist")
    if is_deleting(obj):
        return Reconciled(TERMINATING, "it is being deleted")
    gvk = GroupVersionKind.of(obj)
    state = _generic(obj)
    if state is not None:
        return state
    if (gvk.group, gvk.kind) == ("", "Pod"):
        return _pod(obj, now)
    rule = _RULES.get((gvk.group, gvk.kind), _custom)
    return rule(obj)


def _waits(reason: str, message: str) -> Reconciled:
    return Reconciled(IN_PROGRESS, message, reason)


_DONE = Reconciled(CURRENT)


def _generic(obj: Object) -> Reconciled | None:
    status = status_of(obj)
    seen = status.get("observedGeneration")
    if seen is not None and seen != meta(obj).get("generation", 0):
        return _waits(
            "LatestGenerationNotObserved", "its controller has not seen the newest generation"
        )
    reconciling = conditions.find(status.get("conditions"), "Reconciling")
    if reconciling and reconciling.get("status") == "True":
        return _waits(str(reconciling.get("reason", "")), str(reconciling.get("message", "")))
    stalled = conditions.find(status.get("conditions"), "Stalled")
    if stalled and stalled.get("status") == "True":
        return Reconciled(FAILED, str(stalled.get("message", "")), str(stalled.get("reason", "")))
    return None


def _custom(obj: Object) -> Reconciled:
    ready = conditions.find(status_of(obj).get("conditions"), "Ready")
    if ready is None or ready.get("status") == "True":
        return _DONE
    return _waits(str(ready.get("reason", "")), str(ready.get("message") or "it is not ready"))


def _replicas(obj: Object) -> int:
    found = spec_of(obj).get("replicas")
    return 1 if found is None else int(found)


def _deployment(obj: Object) -> Reconciled:
    spec, status = spec_of(obj), status_of(obj)
    found = status.get("conditions")
    progressing = conditions.find(found, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        told = f"the rollout exceeded its progress deadline: {progressing.get('message', '')}"
        return Reconciled(FAILED, told, "ProgressDeadlineExceeded")
    want, total = _replicas(obj), status.get("replicas", 0)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if total < want:
        return _waits("LessReplicas", f"{total} of {want} replicas exist")
    if updated < want:
        return _waits("LessUpdated", f"{updated} of {want} replicas are updated")
    if total > want:
        return _waits("ExtraPods", f"{total - want} old replicas are pending termination")
    if updated > available:
        return _waits("LessAvailable", f"{available} of {updated} updated replicas are available")
    if status.get("readyReplicas", 0) < want:
        return _waits("LessReady", f"{status.get('readyReplicas', 0)} of {want} replicas are ready")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline != _NO_DEADLINE and not _new_one_available(progressing):
        return _waits("ReplicaSetNotAvailable", "its new ReplicaSet is not available")
    available_condition = conditions.find(found, "Available")
    if not available_condition or available_condition.get("status") != "True":
        return _waits("DeploymentNotAvailable", "it is not available")
    return _DONE


def _new_one_available(progressing: dict[str, Any] | None) -> bool:
    return (
        progressing is not None
        and progressing.get("status") == "True"
        and progressing.get("reason") == "NewReplicaSetAvailable"
    )


def _replica_set(obj: Object) -> Reconciled:
    status, want = status_of(obj), _replicas(obj)
    failure = conditions.find(status.get("conditions"), "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return _waits("ReplicaFailure", str(failure.get("message") or "Pods cannot be made"))
    for field, reason, word in (
        ("fullyLabeledReplicas", "LessLabelled", "labelled"),
        ("availableReplicas", "LessAvailable", "available"),
        ("readyReplicas", "LessReady", "ready"),
    ):
        if status.get(field, 0) < want:
            return _waits(reason, f"{status.get(field, 0)} of {want} replicas are {word}")
    if status.get("replicas", 0) > want:
        return _waits("ExtraPods", f"{status['replicas'] - want} replicas are pending termination")
    return _DONE


def _stateful_set(obj: Object) -> Reconciled:
    spec, status, want = spec_of(obj), status_of(obj), _replicas(obj)
    update = spec.get("updateStrategy") or {}
    if update.get("type") == "OnDelete":
        return _DONE
    total, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    if total < want:
        return _waits("LessReplicas", f"{total} of {want} replicas exist")
    if ready < want:
        return _waits("LessReady", f"{ready} of {want} replicas are ready")
    if total > want:
        return _waits("ExtraPods", f"{total - want} replicas are pending termination")
    partition = (update.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        updated, wanted = status.get("updatedReplicas", 0), want - partition
        if updated < wanted:
            return _waits("PartitionRollout", f"{updated} of {wanted} replicas are updated")
        return _DONE
    if status.get("currentReplicas", 0) < want:
        return _waits(
            "LessCurrent", f"{status.get('currentReplicas', 0)} of {want} replicas are current"
        )
    if status.get("currentRevision") != status.get("updateRevision"):
        return _waits("RevisionMismatch", "its replicas are of different revisions")
    return _DONE


def _daemon_set(obj: Object) -> Reconciled:
    status = status_of(obj)
    if "generation" not in meta(obj):
        return _waits("NoGeneration", "it has no generation yet")
    if "observedGeneration" not in status:
        return _waits("NoObservedGeneration", "its controller has not seen it")
    if "desiredNumberScheduled" not in status:
        return _waits("NoDesiredNumber", "its Nodes have not been counted")
    want = status["desiredNumberScheduled"]
    for field, reason, word in (
        ("currentNumberScheduled", "LessCurrent", "scheduled"),
        ("updatedNumberScheduled", "LessUpdated", "updated"),
        ("numberAvailable", "LessAvailable", "available"),
        ("numberReady", "LessReady", "ready"),
    ):
        if status.get(field, 0) < want:
            return _waits(reason, f"{status.get(field, 0)} of {want} Pods are {word}")
    return _DONE


def _pod(obj: Object, now: float | None) -> Reconciled:
    status = status_of(obj)
    match status.get("phase"):
        case "Succeeded" | "Failed":
            return _DONE
        case "Running":
            if conditions.is_true(obj, "Ready"):
                return _DONE
            crashing = [
                str(c.get("name"))
                for c in status.get("containerStatuses") or ()
                if ((c.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
            ]
            if crashing:
                return Reconciled(
                    FAILED, f"{', '.join(crashing)}: CrashLoopBackOff", "ContainerCrashLooping"
                )
            return _waits("PodRunningNotReady", "it runs and is not ready")
        case "Pending":
            return _pending(obj, now)
    return _waits("PodNotObserved", "no kubelet has seen it")


def _pending(obj: Object, now: float | None) -> Reconciled:
    scheduled = conditions.find(status_of(obj).get("conditions"), "PodScheduled")
    if (
        not scheduled
        or scheduled.get("status") != "False"
        or scheduled.get("reason") != "Unschedulable"
    ):
        return _waits("PodPending", "it has not started")
    told = str(scheduled.get("message") or "no Node has room for it")
    made = meta(obj).get("creationTimestamp")
    if now is None or not made or now - parse_rfc3339(made) < UNSCHEDULABLE_SECONDS:
        return _waits("PodNotScheduled", told)
    return Reconciled(FAILED, told, "PodUnschedulable")


def _job(obj: Object) -> Reconciled:
    status = status_of(obj)
    failed = conditions.find(status.get("conditions"), "Failed")
    if failed and failed.get("status") == "True":
        return Reconciled(FAILED, str(failed.get("message") or "it has failed"), "JobFailed")
    if conditions.is_true(obj, "Complete") or status.get("startTime"):
        return _DONE
    if conditions.is_true(obj, "Suspended") and spec_of(obj).get("suspend"):
        return _DONE
    return _waits("JobNotStarted", "it has not started")


def _claim(obj: Object) -> Reconciled:
    phase = status_of(obj).get("phase")
    return _DONE if phase == "Bound" else _waits("NotBound", "it is not bound")


def _service(obj: Object) -> Reconciled:
    spec = spec_of(obj)
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return _waits("NoIPAssigned", "it has no cluster IP yet")
    return _DONE


def _definition(obj: Object) -> Reconciled:
    found = status_of(obj).get("conditions")
    names = conditions.find(found, "NamesAccepted")
    if names and names.get("status") == "False":
        return Reconciled(FAILED, str(names.get("message", "")), str(names.get("reason", "")))
    established = conditions.find(found, "Established")
    if established and established.get("status") == "True":
        return _DONE
    if established and established.get("reason") != "Installing":
        return Reconciled(
            FAILED, str(established.get("message", "")), str(established.get("reason", ""))
        )
    return _waits("Installing", "its type is being installed")


def _always(_: Object) -> Reconciled:
    return _DONE


_RULES: dict[tuple[str, str], Callable[[Object], Reconciled]] = {
    ("apps", "Deployment"): _deployment,
    ("extensions", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("extensions", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("extensions", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _always,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("", "ConfigMap"): _always,
    ("", "Secret"): _always,
    ("policy", "PodDisruptionBudget"): _always,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
