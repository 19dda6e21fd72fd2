"""What an API server enforces beyond a schema, one module a subject. Pure; the registry and ``validate`` share it.

``problems(obj)`` yields what is wrong with one object by itself, with the path to the culprit, the id of the rule and
the words of a kube-apiserver. It expects an object that its schema accepts, and never raises on one that it does not.
``changes(before, after)`` yields what an update may not change, ``additions`` what one of a Pod's ephemeral containers may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.rules import (
    access,
    admission,
    autoscaling,
    config,
    definitions,
    endpoints,
    ingresses,
    jobs,
    pods,
    policies,
    quotas,
    services,
    storage,
    workloads,
)
from reconciler.api.rules.ephemeral import additions
from reconciler.api.rules.immutable import changes
from reconciler.api.rules.metadata import metadata
from reconciler.api.rules.problem import Problem
from reconciler.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.api.objects import Object

__all__ = ["Problem", "additions", "causes", "changes", "metadata", "problems"]

_BY_KIND: dict[tuple[str, str], Callable[[Object], Iterator[Problem]]] = {
    ("v1", "Pod"): pods.pod,
    ("apps/v1", "Deployment"): workloads.deployment,
    ("apps/v1", "ReplicaSet"): workloads.replica_set,
    ("apps/v1", "StatefulSet"): workloads.stateful_set,
    ("apps/v1", "DaemonSet"): workloads.daemon_set,
    ("batch/v1", "Job"): jobs.job,
    ("batch/v1", "CronJob"): jobs.cron_job,
    ("v1", "Service"): services.service,
    ("networking.k8s.io/v1", "Ingress"): ingresses.ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): policies.network_policy,
    ("policy/v1", "PodDisruptionBudget"): policies.disruption_budget,
    ("discovery.k8s.io/v1", "EndpointSlice"): endpoints.endpoint_slice,
    ("v1", "Endpoints"): endpoints.endpoints,
    ("coordination.k8s.io/v1", "Lease"): quotas.lease,
    ("networking.k8s.io/v1", "IngressClass"): ingresses.ingress_class,
    ("autoscaling/v1", "HorizontalPodAutoscaler"): autoscaling.autoscaler,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): autoscaling.autoscaler,
    ("v1", "PersistentVolumeClaim"): storage.claim,
    ("v1", "PersistentVolume"): storage.volume,
    ("storage.k8s.io/v1", "StorageClass"): storage.storage_class,
    ("v1", "ConfigMap"): config.config_map,
    ("v1", "Secret"): config.secret,
    ("v1", "ReplicationController"): workloads.replication_controller,
    ("v1", "LimitRange"): quotas.limit_range,
    ("v1", "ResourceQuota"): quotas.quota,
    ("scheduling.k8s.io/v1", "PriorityClass"): quotas.priority_class,
    ("node.k8s.io/v1", "RuntimeClass"): quotas.runtime_class,
    ("rbac.authorization.k8s.io/v1", "Role"): access.role,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): access.cluster_role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): access.role_binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): access.cluster_role_binding,
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): admission.webhooks,
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"): admission.webhooks,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): definitions.definition,
}


def problems(obj: Object, *, creating: bool = True) -> Iterator[Problem]:
    """Yield what is wrong with an object; some rules hold only while it is being created."""
    rule = _BY_KIND.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    try:
        yield from metadata(obj)
        if rule is None:
            return
        yield from rule(obj)
        if creating and rule is ingresses.ingress:
            yield from ingresses.legacy_class(obj)
    except (TypeError, AttributeError, KeyError):
        # A part has the wrong type: its schema says so, better than a rule that cannot read it.
        return


def causes(found: Iterable[Problem]) -> tuple[Cause, ...]:
    """Return problems as an API error's causes."""
    return tuple(Cause(p.reason, p.message, p.field) for p in found)
