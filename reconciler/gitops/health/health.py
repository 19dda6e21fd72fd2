"""Does an object serve? Argo CD's rules, one function a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import GroupVersionKind, annotations_of, is_deleting
from reconciler.gitops.health import other, workloads
from reconciler.gitops.health.state import HEALTHY, MISSING, PROGRESSING, Health

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object


def health(obj: Object | None) -> Health:
    """Return an object's health; None is Missing. Kinds that have none of their own are judged by their conditions."""
    if obj is None:
        return Health(MISSING, "it does not exist")
    if is_deleting(obj):
        return Health(PROGRESSING, "it is being deleted")
    gvk = GroupVersionKind.of(obj)
    rule = _RULES.get((gvk.group, gvk.kind))
    if rule is None:
        return other.generic(obj)
    kind = kinds.lookup(gvk.group, gvk.kind)
    if not obj.get("status") and kind is not None and not kind.run:
        # It would be Progressing for ever where nothing writes its status.
        return Health(HEALTHY, f"nothing here runs a {gvk.kind}")
    return rule(obj)


def _ingress(obj: Object) -> Health:
    if annotations_of(obj).get("kubernetes.io/ingress.class"):
        # Somebody else's controller answers for it, and may never write an address (Argo CD's "for ever Progressing").
        return Health(HEALTHY)
    return other.load_balanced(obj)


_RULES: dict[tuple[str, str], Callable[[Object], Health]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("", "Pod"): workloads.pod,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("", "Service"): other.service,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("extensions", "Ingress"): _ingress,
    ("", "PersistentVolumeClaim"): other.claim,
    ("", "PersistentVolume"): other.volume,
    ("autoscaling", "HorizontalPodAutoscaler"): other.autoscaler,
    ("policy", "PodDisruptionBudget"): other.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): other.definition,
    ("apiregistration.k8s.io", "APIService"): other.api_service,
    ("reconciler.dev", "Application"): other.application,
}
