"""Defaults of Jobs and CronJobs, and the selector that the API server gives a Job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.api.objects import Object

Spec = dict[str, Any]

#: No limit: each index has its own.
_UNLIMITED = 2**31 - 1
_PREFIX = "batch.kubernetes.io/"


def default_job(obj: Object) -> None:
    """Fill in a Job in place; one with a uid gets its selector and its Pods' labels."""
    spec = obj.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", _UNLIMITED if per_index else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    for rule in (policy.get("rules") or ()) if isinstance(policy, dict) else ():
        for pattern in (rule.get("onPodConditions") or ()) if isinstance(rule, dict) else ():
            if isinstance(pattern, dict):
                pattern.setdefault("status", "True")
    if not spec.get("manualSelector"):
        _select(obj, spec)


def _select(obj: Object, spec: Spec) -> None:
    uid, name = obj["metadata"].get("uid"), obj["metadata"].get("name")
    template = spec.get("template")
    if not uid or not name or not isinstance(template, dict):
        return
    meta = template.get("metadata")
    if not isinstance(meta, dict):
        meta = template["metadata"] = {}
    labels = meta.get("labels")
    if not isinstance(labels, dict):
        labels = meta["labels"] = {}
    labels |= {_PREFIX + "controller-uid": uid, "controller-uid": uid}
    labels |= {_PREFIX + "job-name": name, "job-name": name}
    if not spec.get("selector"):
        spec["selector"] = {"matchLabels": {_PREFIX + "controller-uid": uid}}


def default_cron_job_spec(spec: Spec) -> None:
    """Fill in a CronJob's spec in place."""
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
