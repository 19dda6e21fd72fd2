"""A Job's Pods: the labels that the API server gives their template, and what each index adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import name_of
from reconciler.controllers.job import backoff
from reconciler.controllers.job.indexes import INDEX
from reconciler.controllers.job.tally import FINALIZER, is_indexed
from reconciler.controllers.pod_template import pod_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

_VARIABLE = "JOB_COMPLETION_INDEX"


def job_pod(job: Object, index: int | None = None, last: Object | None = None) -> Object:
    """Build a Pod of a Job. ``last`` is the index' Pod that failed before."""
    pod = pod_of(job)
    meta: dict[str, Any] = pod["metadata"]
    meta["finalizers"] = [*(meta.get("finalizers") or ()), FINALIZER]
    if index is None or not is_indexed(job):
        return pod
    meta["generateName"] = f"{name_of(job)}-{index}-"
    meta["labels"] = {**(meta.get("labels") or {}), INDEX: str(index)}
    annotations = {**(meta.get("annotations") or {}), INDEX: str(index)}
    if job["spec"].get("backoffLimitPerIndex") is not None:
        annotations |= backoff.next_counts(job, last)
    meta["annotations"] = annotations
    spec = dict(pod["spec"])
    spec["hostname"] = f"{name_of(job)[: 63 - len(str(index)) - 1]}-{index}"
    for field in ("containers", "initContainers"):
        if spec.get(field):
            spec[field] = [_with_index(container) for container in spec[field]]
    pod["spec"] = spec
    return pod


def _with_index(container: Object) -> Object:
    variables = container.get("env") or []
    if any(v.get("name") == _VARIABLE for v in variables):
        return container
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*variables, {"name": _VARIABLE, "valueFrom": source}]}
