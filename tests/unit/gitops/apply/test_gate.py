"""When what comes after an object may begin: kstatus and health, and where a wait needs something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.gitops.apply.gate import gate
from reconciler.gitops.plan import Need

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def obj(kind: str, version: str = "v1", revision: str = "7", **rest: Any) -> Object:
    meta = {"name": "a", "uid": "1", "resourceVersion": revision, "generation": 1}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


PAUSED = obj("Deployment", "apps/v1", spec={"paused": True, "replicas": 0}, status={
    "observedGeneration": 1, "conditions": [
        {"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]})  # fmt: skip
RUNNING_JOB = obj("Job", "batch/v1", status={"startTime": "2026-01-01T00:00:00Z"})
FAILED_POD = obj("Pod", status={"phase": "Failed", "message": "exit code 3"})
PENDING_CLAIM = obj("PersistentVolumeClaim", status={"phase": "Pending"})
LOST_CLAIM = obj("PersistentVolumeClaim", status={"phase": "Lost"})


@pytest.mark.parametrize(
    ("live", "need", "is_open", "failed"),
    [
        (None, Need.RECONCILED, False, False),
        (None, Need.GONE, True, False),
        (obj("ConfigMap"), Need.HEALTHY, True, False),
        (obj("ConfigMap"), Need.GONE, False, False),
        (PAUSED, Need.HEALTHY, True, False),
        (RUNNING_JOB, Need.RECONCILED, True, False),
        (RUNNING_JOB, Need.HEALTHY, False, False),
        (FAILED_POD, Need.RECONCILED, False, True),
        (PENDING_CLAIM, Need.HEALTHY, True, False),
        (LOST_CLAIM, Need.HEALTHY, False, False),
    ],
)
def test_gate(live: Object | None, need: Need, is_open: bool, failed: bool) -> None:
    found = gate(live, need)
    assert (found.open, found.failed) == (is_open, failed)
    assert bool(found.message) != found.open


def test_a_copy_older_than_what_was_applied_is_not_believed() -> None:
    applied = obj("ConfigMap", revision="10")
    assert not gate(obj("ConfigMap", revision="9"), Need.RECONCILED, applied).open
    assert gate(obj("ConfigMap", revision="10"), Need.RECONCILED, applied).open


def test_another_object_of_the_same_name_means_that_the_first_is_gone() -> None:
    other = obj("ConfigMap")
    other["metadata"] = {**other["metadata"], "uid": "2"}
    assert gate(other, Need.GONE, obj("ConfigMap")).open
