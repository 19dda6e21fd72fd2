"""What makes and guards Pods, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.cli.tables.layout import (
    Cells,
    Columns,
    age,
    duration,
    selector_text,
    spec_of,
    status_of,
)
from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _templates(obj: Object) -> Cells:
    containers = ((spec_of(obj).get("template") or {}).get("spec") or {}).get("containers") or ()
    names = ",".join(c["name"] for c in containers)
    return [
        names,
        ",".join(c.get("image", "") for c in containers),
        selector_text(spec_of(obj).get("selector")),
    ]


def _deployment(obj: Object) -> Cells:
    status = status_of(obj)
    want = spec_of(obj).get("replicas", 1)
    return [
        f"{status.get('readyReplicas', 0)}/{want}",
        str(status.get("updatedReplicas", 0)),
        str(status.get("availableReplicas", 0)),
    ]


def _replica_set(obj: Object) -> Cells:
    status = status_of(obj)
    return [
        str(spec_of(obj).get("replicas", 1)),
        str(status.get("replicas", 0)),
        str(status.get("readyReplicas", 0)),
    ]


def _daemon_set(obj: Object) -> Cells:
    status = status_of(obj)
    selector = ((spec_of(obj).get("template") or {}).get("spec") or {}).get("nodeSelector")
    fields = (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady",
        "updatedNumberScheduled", "numberAvailable",
    )  # fmt: skip
    return [*(str(status.get(field, 0)) for field in fields), selector_text(selector)]


def _job(obj: Object, now: float) -> Cells:
    """Return STATUS, COMPLETIONS, DURATION."""
    spec, status = spec_of(obj), status_of(obj)
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    ways = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")
    shown = next((way for way in ways if way in true), "Running")
    if obj["metadata"].get("deletionTimestamp"):
        shown = "Terminating"
    wanted, parallel = spec.get("completions"), spec.get("parallelism") or 0
    if wanted is None:
        wanted = f"1 of {parallel}" if parallel > 1 else 1
    begun, ended = status.get("startTime"), status.get("completionTime")
    took = ""
    if begun:
        took = duration((parse_rfc3339(ended) if ended else now) - parse_rfc3339(begun))
    return [shown, f"{status.get('succeeded', 0)}/{wanted}", took]


def _cron_job(obj: Object, now: float) -> Cells:
    spec, status = spec_of(obj), status_of(obj)
    last = status.get("lastScheduleTime")
    return [
        str(spec.get("schedule", "")), spec.get("timeZone") or "<none>",
        str(bool(spec.get("suspend"))), str(len(status.get("active") or ())),
        age(last, now) if last else "<none>",
    ]  # fmt: skip


def _autoscaler(obj: Object) -> Cells:
    spec, status = spec_of(obj), status_of(obj)
    ref = spec.get("scaleTargetRef") or {}
    now = {_metric_name(m): m for m in status.get("currentMetrics") or ()}
    targets = []
    for metric in spec.get("metrics") or ():
        source, _ = _metric(metric)
        target = source.get("target") or {}
        current = _metric(now.get(_metric_name(metric), {}))[0].get("current") or {}
        if "averageUtilization" in target:
            is_now = current.get("averageUtilization")
            shown = "<unknown>" if is_now is None else f"{is_now}%"
            goal = f"{target['averageUtilization']}%"
        else:
            shown = str(current.get("averageValue") or "<unknown>")
            goal = str(target.get("averageValue") or target.get("value") or "")
        targets.append(f"{_metric_name(metric)}: {shown}/{goal}")
    return [
        f"{ref.get('kind', '')}/{ref.get('name', '')}", ", ".join(targets) or "<unknown>",
        str(spec.get("minReplicas", 1)), str(spec.get("maxReplicas", "")),
        str(status.get("currentReplicas", 0)),
    ]  # fmt: skip


def _metric(metric: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what a metric holds, and the field it stands in."""
    kind = str(metric.get("type") or "")
    field = kind[:1].lower() + kind[1:]
    return metric.get(field) or {}, field


def _metric_name(metric: dict[str, Any]) -> str:
    return str(_metric(metric)[0].get("name") or _metric(metric)[1])


def _budget(obj: Object) -> Cells:
    spec, none = spec_of(obj), "N/A"
    allowed = status_of(obj).get("disruptionsAllowed", 0)
    return [
        str(spec.get("minAvailable", none)),
        str(spec.get("maxUnavailable", none)),
        str(allowed),
    ]


def _controller_revision(obj: Object) -> Cells:
    owners = obj["metadata"].get("ownerReferences") or ()
    owner = next((r for r in owners if r.get("controller")), None)
    if owner is None:
        return ["<none>", str(obj.get("revision", ""))]
    group = owner["apiVersion"].rpartition("/")[0]
    kind = f"{owner['kind'].lower()}.{group}" if group else owner["kind"].lower()
    return [f"{kind}/{owner['name']}", str(obj.get("revision", ""))]


_WORKLOAD_WIDE = ("CONTAINERS", "IMAGES", "SELECTOR")


COLUMNS: dict[tuple[str, str], Columns] = {
    ("apps/v1", "ControllerRevision"): Columns(("CONTROLLER", "REVISION"), _controller_revision),
    ("apps/v1", "Deployment"): Columns(
        ("READY", "UP-TO-DATE", "AVAILABLE"), _deployment, _WORKLOAD_WIDE, _templates
    ),
    ("apps/v1", "ReplicaSet"): Columns(
        ("DESIRED", "CURRENT", "READY"), _replica_set, _WORKLOAD_WIDE, _templates
    ),
    ("apps/v1", "StatefulSet"): Columns(
        ("READY",), lambda o: _deployment(o)[:1], _WORKLOAD_WIDE[:2], lambda o: _templates(o)[:2]
    ),
    ("apps/v1", "DaemonSet"): Columns(
        ("DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR"), _daemon_set,
        _WORKLOAD_WIDE, _templates,
    ),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): Columns(
        ("REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS"), _autoscaler
    ),
    ("policy/v1", "PodDisruptionBudget"): Columns(
        ("MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS"), _budget
    ),
    ("batch/v1", "Job"): Columns(
        ("STATUS", "COMPLETIONS", "DURATION"), timed=_job,
        wide_titles=_WORKLOAD_WIDE, wide_cells=_templates,
    ),
    ("batch/v1", "CronJob"): Columns(
        ("SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE"), timed=_cron_job,
        wide_titles=_WORKLOAD_WIDE,
        wide_cells=lambda o: _templates({"spec": (spec_of(o).get("jobTemplate") or {}).get("spec")}),
    ),
}  # fmt: skip
