"""Rules of Jobs and CronJobs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from reconciler.api import names, selectors
from reconciler.api.rules.completion import failure_policy, indexed
from reconciler.api.rules.pods import template
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    invalid,
    not_negative,
    required,
    unsupported,
)
from reconciler.api.rules.schedules import schedule_problem
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: Labels by which a kube-apiserver ties a Job to its Pods.
_OWN_LABELS = frozenset({"batch.kubernetes.io/controller-uid", "controller-uid"})


def job(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a Job."""
    spec = below(obj, "spec")
    yield from job_spec(spec, ("spec",))
    yield from _selects(spec)


def _selects(spec: Part) -> Iterator[Problem]:
    """Yield what is wrong with a selector: a kube-apiserver writes it itself unless manualSelector says otherwise."""
    selector = spec.get("selector") or {}
    path: Path = ("spec", "selector")
    wrong = list(label_selector(selector, path))
    yield from wrong
    labels = below(below(spec, "template"), "metadata").get("labels") or {}
    if spec.get("manualSelector"):
        if not selector:
            yield required("job-selector", path)
        elif not wrong and not selectors.from_object(selector).matches(labels):
            told = "`selector` does not match template `labels`"
            yield invalid("job-selector", ("spec", "template", "metadata", "labels"), labels, told)
    elif selector and (
        set(selector.get("matchLabels") or {}) - _OWN_LABELS or selector.get("matchExpressions")
    ):
        hint = "leave it out, or set manualSelector: true"
        yield invalid("job-selector", path, selector, "`selector` not auto-generated", hint=hint)


def job_spec(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a Job's spec at ``path``, its selector apart."""
    yield from not_negative(
        "job-number", spec, path,
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
    )  # fmt: skip
    yield from indexed(spec, path)
    owner = spec.get("managedBy")
    if owner is not None and (wrong := names.domain_path_problem(owner)):
        yield invalid("job-number", (*path, "managedBy"), owner, wrong)
    held = below(spec, "template")
    yield from template(held, (*path, "template"))
    policy = below(held, "spec").get("restartPolicy") or "Always"
    where = (*path, "template", "spec", "restartPolicy")
    if policy == "Always":
        if below(held, "spec").get("restartPolicy"):
            yield unsupported("job-restart-policy", where, policy, ["OnFailure", "Never"])
        else:
            yield required("job-restart-policy", where, 'valid values: "OnFailure", "Never"')
    failure = spec.get("podFailurePolicy")
    if failure is not None:
        if policy == "OnFailure":
            told = 'only "Never" is supported when podFailurePolicy is specified'
            yield invalid("pod-failure-policy", where, policy, told)
        yield from failure_policy(failure, spec, (*path, "podFailurePolicy"))


def cron_job(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a CronJob."""
    spec = below(obj, "spec")
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield required("schedule", ("spec", "schedule"))
    elif "TZ" in schedule:
        told = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield invalid("schedule", ("spec", "schedule"), schedule, told)
    elif wrong := schedule_problem(schedule):
        yield invalid("schedule", ("spec", "schedule"), schedule, wrong)
    zone = spec.get("timeZone")
    if zone is not None and not zone:
        yield invalid(
            "time-zone", ("spec", "timeZone"), zone, "timeZone must be nil or non-empty string"
        )
    elif zone and (wrong := _zone_problem(zone)):
        yield invalid("time-zone", ("spec", "timeZone"), zone, wrong)
    yield from not_negative(
        "job-number", spec, ("spec",),
        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
    )  # fmt: skip
    held = below(below(spec, "jobTemplate"), "spec")
    path = ("spec", "jobTemplate", "spec")
    if held.get("manualSelector"):
        yield unsupported("job-selector", (*path, "manualSelector"), True, ["nil", "false"])
    yield from job_spec(held, path)


@functools.lru_cache(maxsize=64)
def _zone_problem(name: str) -> str:
    from zoneinfo import ZoneInfo

    if name.lower() == "local":
        return (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return f"unknown time zone {name}"
    return ""
