"""The health of everything that runs no Pods itself (Argo CD's rules), and of types that nobody here knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.api import conditions
from reconciler.gitops.health.state import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    UNKNOWN,
    Health,
    spec_of,
    status_of,
)

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: An autoscaler with one of these cannot do its work.
_SCALER_FAULTS = {
    "AbleToScale": ("FailedGetScale", "FailedUpdateScale"),
    "ScalingActive": (
        "FailedGetResourceMetric", "FailedGetObjectMetric", "FailedGetPodsMetric", "FailedGetExternalMetric",
        "FailedComputeMetricsReplicas", "InvalidSelector",
    ),
}  # fmt: skip
_V1_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"


def service(obj: Object) -> Health:
    """Judge a Service: one that balances load needs an address."""
    return load_balanced(obj) if spec_of(obj).get("type") == "LoadBalancer" else Health(HEALTHY)


def load_balanced(obj: Object) -> Health:
    """Judge what is reached at an address of its own."""
    if (status_of(obj).get("loadBalancer") or {}).get("ingress"):
        return Health(HEALTHY)
    return Health(PROGRESSING, "it has no address yet")


def claim(obj: Object) -> Health:
    """Judge a PersistentVolumeClaim."""
    match status_of(obj).get("phase"):
        case "Bound":
            return Health(HEALTHY)
        case "Lost":
            return Health(DEGRADED, "its volume is gone")
    return Health(PROGRESSING, "it is not bound")


def volume(obj: Object) -> Health:
    """Judge a PersistentVolume."""
    if status_of(obj).get("phase") == "Failed":
        return Health(DEGRADED, str(status_of(obj).get("message", "")))
    return Health(HEALTHY)


def autoscaler(obj: Object) -> Health:
    """Judge a HorizontalPodAutoscaler by its conditions, which version 1 keeps in an annotation."""
    found = _scaler_conditions(obj)
    for condition in found:
        if condition.get("reason") in _SCALER_FAULTS.get(str(condition.get("type")), ()):
            return Health(DEGRADED, str(condition.get("message") or condition["reason"]))
    for condition in found:
        if (
            condition.get("type") in ("AbleToScale", "ScalingLimited")
            and condition.get("status") == "True"
        ):
            return Health(HEALTHY)
    return Health(PROGRESSING, "it has not looked at its target yet")


def _scaler_conditions(obj: Object) -> list[dict[str, Any]]:
    found: Any = status_of(obj).get("conditions")
    if found is None:
        text = ((obj.get("metadata") or {}).get("annotations") or {}).get(_V1_CONDITIONS, "[]")
        try:
            found = json.loads(text)
        except ValueError:
            found = []
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def disruption_budget(obj: Object) -> Health:
    """Judge a PodDisruptionBudget: too few Pods is what it is for, anything else that is wrong is not."""
    found = status_of(obj).get("conditions") or []
    for condition in found:
        if condition.get("status") == "False" and condition.get("reason") != "InsufficientPods":
            return Health(DEGRADED, str(condition.get("message") or condition.get("reason") or ""))
    return Health(HEALTHY) if found else Health(PROGRESSING, "it has not counted its Pods yet")


def definition(obj: Object) -> Health:
    """Judge a CustomResourceDefinition by whether its type is served."""
    found = status_of(obj).get("conditions")
    if not found:
        return Health(PROGRESSING, "its names have not been looked at yet")
    if conditions.is_true(obj, "Terminating"):
        return Health(PROGRESSING, "it is being deleted")
    names = conditions.find(found, "NamesAccepted")
    if names and names.get("status") == "False":
        return Health(DEGRADED, f"its names are not accepted: {names.get('message', '')}")
    broken = conditions.find(found, "NonStructuralSchema")
    if broken and broken.get("status") == "True":
        return Health(DEGRADED, f"its schema breaks rules: {broken.get('message', '')}")
    established = conditions.find(found, "Established")
    if established and established.get("status") == "True":
        return Health(HEALTHY)
    if established and established.get("reason") == "Installing":
        return Health(PROGRESSING, str(established.get("message", "")))
    return Health(DEGRADED, "its type is not served")


def api_service(obj: Object) -> Health:
    """Judge an APIService."""
    available = conditions.find(status_of(obj).get("conditions"), "Available")
    if available and available.get("status") == "True":
        return Health(HEALTHY)
    return Health(
        PROGRESSING,
        str(available.get("message", "")) if available else "it has not been looked at yet",
    )


def application(obj: Object) -> Health:
    """Return what an Application says of itself."""
    found = status_of(obj).get("health") or {}
    return Health(found.get("status", UNKNOWN), found.get("message", ""))


def generic(obj: Object) -> Health:
    """Judge an object of any type by the conditions that the field agrees on (kstatus)."""
    status = status_of(obj)
    found = (
        [c for c in status.get("conditions") or () if isinstance(c, dict)]
        if isinstance(status.get("conditions"), list)
        else []
    )
    stalled = conditions.find(found, "Stalled")
    if stalled and stalled.get("status") == "True":
        return Health(DEGRADED, str(stalled.get("message") or stalled.get("reason") or ""))
    seen, wanted = status.get("observedGeneration"), (obj.get("metadata") or {}).get("generation")
    if isinstance(seen, int) and isinstance(wanted, int) and seen != wanted:
        return Health(PROGRESSING, "its controller has not seen the newest generation")
    reconciling = conditions.find(found, "Reconciling")
    if reconciling and reconciling.get("status") == "True":
        return Health(
            PROGRESSING, str(reconciling.get("message") or reconciling.get("reason") or "")
        )
    ready = conditions.find(found, "Ready")
    if ready and ready.get("status") != "True":
        return Health(
            PROGRESSING, str(ready.get("message") or ready.get("reason") or "it is not ready")
        )
    return Health(HEALTHY)
