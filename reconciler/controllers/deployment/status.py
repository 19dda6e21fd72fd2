"""A Deployment's status: counts, Available and Progressing (DP22 to DP26)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.pods import condition, with_condition
from reconciler.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from reconciler.api.objects import Object

Status = dict[str, Any]


def count(replica_sets: list[Object], field: str) -> int:
    return sum(int((rs.get("status") or {}).get(field) or 0) for rs in replica_sets)


def counts(deployment: Object, everything: list[Object], new: Object | None) -> Status:
    """Add up the ReplicaSets' counts; zero counts are left out, as Kubernetes does."""
    available = count(everything, "availableReplicas")
    asked = sum(int(rs["spec"].get("replicas") or 0) for rs in everything)
    numbers = {
        "replicas": count(everything, "replicas"),
        "updatedReplicas": count([new], "replicas") if new else 0,
        "readyReplicas": count(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, asked - available),
        "terminatingReplicas": count(everything, "terminatingReplicas"),
    }
    status: Status = {field: number for field, number in numbers.items() if number}
    status["observedGeneration"] = int(deployment["metadata"].get("generation") or 0)
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions:
        status["collisionCount"] = collisions
    return status


def complete(status: Status, replicas: int) -> bool:
    """Whether every replica is of the new template and available (DP22)."""
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return all(int(status.get(field) or 0) == replicas for field in fields)


class Rollout(NamedTuple):
    """What a rollout's messages name: what progresses, the ReplicaSet being created now, and the one that is there."""

    what: str
    created: str
    found: str


def with_conditions(
    deployment: Object, status: Status, replicas: int, least: int,
    failure: Status | None, rollout: Rollout, now: float,
) -> tuple[Status, float | None]:  # fmt: skip
    """Return the status with its conditions, and when the progress deadline must be looked at again.

    ``failure`` is a ReplicaSet's ReplicaFailure, which is copied up (DP28).
    """
    conditions = list((deployment.get("status") or {}).get("conditions") or ())
    enough = int(status.get("availableReplicas") or 0) >= least
    conditions = _set(
        conditions, "Available", enough,
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.", now,
    )  # fmt: skip
    conditions, requeue = _progress(deployment, status, replicas, conditions, rollout, now)
    if failure is None:
        conditions = [c for c in conditions if c.get("type") != "ReplicaFailure"]
    else:
        reason, message = str(failure.get("reason")), str(failure.get("message"))
        conditions = _set(conditions, "ReplicaFailure", True, reason, message, now)
    return {**status, "conditions": conditions}, requeue


def replica_failure(new: Object | None, old: list[Object]) -> Status | None:
    """Return the first ReplicaFailure, the new ReplicaSet's before the others'."""
    for rs in ([new] if new else []) + old:
        found = condition(rs, "ReplicaFailure")
        if found is not None and found.get("status") == "True":
            return found
    return None


def not_created(status: Status, message: str, now: float) -> Status:
    """Return a status that tells that the new ReplicaSet could not be created (DP28)."""
    conditions = _set(
        status["conditions"], "Progressing", False, "ReplicaSetCreateError", message, now
    )
    return {**status, "conditions": conditions}


def _progress(
    deployment: Object, status: Status, replicas: int,
    conditions: list[Status], rollout: Rollout, now: float,
) -> tuple[list[Status], float | None]:  # fmt: skip
    old = condition(deployment, "Progressing")
    what, deadline = rollout.what, _deadline(deployment)
    if deployment["spec"].get("paused"):
        return _set(
            conditions, "Progressing", None, "DeploymentPaused", "Deployment is paused", now
        ), None
    # One that could not be created is told of as created only once it is there.
    if rollout.created and (old or {}).get("reason") != "ReplicaSetCreateError":
        reason = "NewReplicaSetCreated"
        message = f'Created new replica set "{rollout.created}"'
        return _set(conditions, "Progressing", True, reason, message, now, touch=True), deadline
    if complete(status, replicas):
        return _set(
            conditions, "Progressing", True, "NewReplicaSetAvailable",
            f"{what} has successfully progressed.", now,
        ), None  # fmt: skip
    if old is None:
        reason, message = "FoundNewReplicaSet", f'Found new replica set "{rollout.found}"'
        if not rollout.found:
            reason, message = "ReplicaSetUpdated", f"{what} is progressing."
        return _set(conditions, "Progressing", True, reason, message, now), deadline
    if old.get("reason") == "DeploymentPaused":
        return _set(
            conditions, "Progressing", None, "DeploymentResumed", "Deployment is resumed", now
        ), deadline
    # A rollout that was complete has no deadline: Pods that fail later are not its failure.
    settled = old.get("reason") == "NewReplicaSetAvailable"
    same = _get(status, "replicas") == _get(status, "updatedReplicas")
    if not (settled and same) and _progressed(deployment.get("status") or {}, status):
        return _set(
            conditions, "Progressing", True, "ReplicaSetUpdated",
            f"{what} is progressing.", now, touch=True,
        ), deadline  # fmt: skip
    if settled or old.get("reason") == "ProgressDeadlineExceeded":
        return conditions, None
    left = parse_rfc3339(old["lastUpdateTime"]) + deadline - now
    if left > 0:
        return conditions, left
    reason, message = "ProgressDeadlineExceeded", f"{what} has timed out progressing."
    return _set(conditions, "Progressing", False, reason, message, now), None


def _deadline(deployment: Object) -> float:
    value = deployment["spec"].get("progressDeadlineSeconds")
    return float(600 if value is None else value)


def _get(status: Status, field: str) -> int:
    return int(status.get(field) or 0)


def _progressed(old: Status, new: Status) -> bool:
    """Whether a rollout came nearer to its end since the last status (DP26)."""
    return any(
        _get(new, field) > _get(old, field)
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    ) or _get(new, "replicas") - _get(new, "updatedReplicas") < _get(old, "replicas") - _get(
        old, "updatedReplicas"
    )


def _set(
    conditions: list[Status], type_: str, value: bool | None, reason: str, message: str,
    now: float, *, touch: bool = False,
) -> list[Status]:  # fmt: skip
    text = "Unknown" if value is None else str(value)
    for old in conditions:
        same = (old.get("status"), old.get("reason")) == (text, reason)
        if old.get("type") == type_ and same and not touch:
            return conditions
    stamp = rfc3339(now)
    new = {
        "type": type_, "status": text, "reason": reason, "message": message,
        "lastUpdateTime": stamp, "lastTransitionTime": stamp,
    }  # fmt: skip
    return with_condition(conditions, new)
