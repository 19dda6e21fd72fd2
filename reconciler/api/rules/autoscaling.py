"""Rules of HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import quantities
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    required,
)
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_SOURCES = {
    "Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods",
    "Object": "object", "External": "external",
}  # fmt: skip
_MOST_WINDOW = 3600  # seconds
_MOST_PERIOD = 1800  # seconds


def autoscaler(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a HorizontalPodAutoscaler of either version."""
    spec = below(obj, "spec")
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        yield invalid(
            "autoscaler-replicas",
            ("spec", "minReplicas"),
            least,
            "must be greater than or equal to 1",
        )
    if most < 1:
        yield required(
            "autoscaler-replicas", ("spec", "maxReplicas"), "must be set and greater than 0"
        )
    elif least is not None and most < least:
        told = "must be greater than or equal to `minReplicas`"
        yield invalid("autoscaler-replicas", ("spec", "maxReplicas"), most, told)
    yield from _target(below(spec, "scaleTargetRef"), ("spec", "scaleTargetRef"))
    percent = spec.get("targetCPUUtilizationPercentage")
    if percent is not None and percent < 1:
        told = "must be greater than 0"
        yield invalid("metric", ("spec", "targetCPUUtilizationPercentage"), percent, told)
    for path, metric in each(spec, "metrics", ("spec",)):
        yield from _metric(metric, path)
    for direction in ("scaleUp", "scaleDown"):
        rules = below(spec, "behavior").get(direction)
        if rules is not None:
            yield from _behaviour(rules, ("spec", "behavior", direction))


def _target(ref: Part, path: Path) -> Iterator[Problem]:
    for field in ("kind", "name"):
        text = ref.get(field) or ""
        if not text:
            yield required("scale-target", (*path, field))
        elif "/" in text or "%" in text:
            bad = "/" if "/" in text else "%"
            yield invalid("scale-target", (*path, field), text, f"may not contain '{bad}'")
    version = ref.get("apiVersion") or ""
    if "/" not in version and ref.get("kind") != "ReplicationController":
        yield invalid(
            "scale-target", (*path, "apiVersion"), version, "apiVersion must specify API group"
        )


def _metric(metric: Part, path: Path) -> Iterator[Problem]:
    kind = metric.get("type") or ""
    if not kind:
        yield required("metric", (*path, "type"), "must specify a metric source type")
        return
    field = _SOURCES.get(kind, "")
    for other in _SOURCES.values():
        if other != field and metric.get(other) is not None:
            told = "must populate the given metric source only"
            yield forbidden("metric", (*path, other), told)
    source = metric.get(field)
    if not field or source is None:
        told = "must populate information for the given metric source"
        yield required("metric", (*path, field or "type"), told)
        return
    here = (*path, field)
    if field in ("resource", "containerResource"):
        if not source.get("name"):
            yield required("metric", (*here, "name"), "must specify a resource name")
        if field == "containerResource" and not source.get("container"):
            yield required("metric", (*here, "container"), "must specify a container")
        yield from _value(below(source, "target"), (*here, "target"), utilization=True)
        return
    identifier = below(source, "metric")
    if not identifier.get("name"):
        yield required("metric", (*here, "metric", "name"), "must specify a metric name")
    yield from label_selector(identifier.get("selector"), (*here, "metric", "selector"))
    if field == "object":
        yield from _described(below(source, "describedObject"), (*here, "describedObject"))
    target = below(source, "target")
    yield from _value(target, (*here, "target"), utilization=False)


def _described(ref: Part, path: Path) -> Iterator[Problem]:
    for field in ("kind", "name"):
        if not ref.get(field):
            yield required("metric", (*path, field))


def _value(target: Part, path: Path, *, utilization: bool) -> Iterator[Problem]:
    if not target.get("type"):
        yield required("metric", (*path, "type"), "must specify a metric target type")
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        yield invalid("metric", (*path, "averageUtilization"), percent, "must be greater than 0")
    amounts = [f for f in ("value", "averageValue") if target.get(f) is not None]
    for field in amounts:
        if _is_not_positive(target[field]):
            yield invalid("metric", (*path, field), target[field], "must be positive")
    if utilization:
        if percent is None and "averageValue" not in amounts:
            told = "must set either a target raw value or a target utilization"
            yield required("metric", (*path, "averageUtilization"), told)
        elif percent is not None and "averageValue" in amounts:
            told = "may not set both a target raw value and a target utilization"
            yield forbidden("metric", (*path, "averageValue"), told)
    elif not amounts:
        told = "must set either a target value for metric or a per-pod target"
        yield required("metric", (*path, "averageValue"), told)
    elif len(amounts) > 1:
        told = "may not set both a target value for metric and a per-pod target"
        yield forbidden("metric", (*path, "value"), told)


def _is_not_positive(value: Any) -> bool:
    try:
        return quantities.parse(value) <= 0
    except ValueError:
        return True


def _behaviour(rules: Part, path: Path) -> Iterator[Problem]:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        told = "must be greater than or equal to zero"
        yield invalid("behavior", (*path, "stabilizationWindowSeconds"), window, told)
    elif window is not None and window > _MOST_WINDOW:
        told = f"must be less than or equal to {_MOST_WINDOW}"
        yield invalid("behavior", (*path, "stabilizationWindowSeconds"), window, told)
    if rules.get("policies") is not None and not rules["policies"]:
        yield required("behavior", (*path, "policies"), "must specify at least one Policy")
    for here, policy in each(rules, "policies", path):
        value, period = policy.get("value") or 0, policy.get("periodSeconds") or 0
        if value <= 0:
            yield invalid("behavior", (*here, "value"), value, "must be greater than zero")
        if period <= 0:
            yield invalid("behavior", (*here, "periodSeconds"), period, "must be greater than zero")
        elif period > _MOST_PERIOD:
            told = f"must be less than or equal to {_MOST_PERIOD}"
            yield invalid("behavior", (*here, "periodSeconds"), period, told)
