"""The manifests that a workload of the simulated repository stands for. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.simulation.workloads import Workload

#: Bounds of an autoscaler, and the millicores that it wants a Pod to use: half of what the Pod requests.
FEWEST, MOST, TARGET = 1, 4, 50
#: How long a Job's Pod works, and a CronJob's: longer than the minute until the next, in seconds.
JOB_SECONDS, CRON_SECONDS = 3.0, 75.0

_DEPLOYMENT_STRATEGIES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
)
_STATEFUL_STRATEGIES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
)
_DAEMON_STRATEGIES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"type": "OnDelete"},
    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
)
#: Names that stand for a way to update. It is for good: what was defaulted for another way would stay, and be refused.
_FOR_GOOD = {"recreate": {"type": "Recreate"}, "ondelete": {"type": "OnDelete"}}
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_GUARDS: tuple[dict[str, Any], ...] = (
    {},
    {"minAvailable": 1},
    {"maxUnavailable": 1},
    {"minAvailable": "50%"},
)


def files_of(workloads: dict[str, Workload]) -> dict[str, str]:
    """Return the repository's files: JSON is YAML. One is always there, for an empty repository prunes nothing."""
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    return {
        "kept.yaml": json.dumps(kept),
        **{
            f"{name}.yaml": "\n---\n".join(json.dumps(o) for o in objects_of(workload))
            for name, workload in sorted(workloads.items())
        },
    }


def objects_of(workload: Workload) -> list[Object]:
    """Return a workload with the ConfigMap and Secret that it reads and what stands before and over it."""
    name, version = workload.name, str(workload.config)
    objects = [
        _object("v1", "ConfigMap", name, data={"SETTING": version}),
        _object("v1", "Secret", name, stringData={"KEY": version}),
        _workload(workload),
    ]
    if workload.kind not in ("Job", "CronJob"):
        service: dict[str, Any] = {"selector": {"app": name}, "ports": [{"port": 80}]}
        if workload.kind == "StatefulSet":
            service["clusterIP"] = "None"
        objects.append(_object("v1", "Service", name, spec=service))
    if workload.guard:
        budget = {"selector": {"matchLabels": {"app": name}}, **_GUARDS[workload.guard]}
        objects.append(_object("policy/v1", "PodDisruptionBudget", name, spec=budget))
    if workload.autoscaled:
        objects.append(
            _object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=_scaler(name))
        )
    return objects


def _object(version: str, kind: str, name: str, **content: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}


def _workload(workload: Workload) -> Object:
    spec: dict[str, Any]
    match workload.kind:
        case "Job":
            spec = _job(workload)
        case "CronJob":
            spec = {
                "schedule": "* * * * *",
                "concurrencyPolicy": _CONCURRENCY[workload.strategy],
                "successfulJobsHistoryLimit": 1,
                "suspend": workload.suspended,
                "jobTemplate": {"spec": {"backoffLimit": 20, "template": _template(workload)}},
            }
        case "Deployment":
            spec = _server(workload, "strategy", _DEPLOYMENT_STRATEGIES)
            if not workload.autoscaled:
                spec["replicas"] = workload.replicas
        case "StatefulSet":
            spec = _stateful(workload)
        case _:
            spec = _server(workload, "updateStrategy", _DAEMON_STRATEGIES)
    group = "batch/v1" if workload.kind in ("Job", "CronJob") else "apps/v1"
    return _object(group, workload.kind, workload.name, spec=spec)


def _job(workload: Workload) -> dict[str, Any]:
    return {
        "completions": workload.replicas,
        "parallelism": 2,
        "backoffLimit": 20,
        "suspend": workload.suspended,
        "template": _template(workload),
    }


def _server(
    workload: Workload, field: str, strategies: tuple[dict[str, Any] | None, ...]
) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": workload.name}}, "template": _template(workload)}
    strategy = _FOR_GOOD.get(workload.sort) or strategies[workload.strategy]
    return spec if strategy is None else {**spec, field: strategy}


def _stateful(workload: Workload) -> dict[str, Any]:
    spec = _server(workload, "updateStrategy", _STATEFUL_STRATEGIES)
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
    }
    spec |= {
        "replicas": workload.replicas,
        "serviceName": workload.name,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    if workload.sort == "parallel":
        spec["podManagementPolicy"] = "Parallel"
    return spec


def _template(workload: Workload) -> dict[str, Any]:
    name = workload.name
    container: dict[str, Any] = {
        "name": "app",
        "image": f"app:{workload.image}",
        "command": ["app"],
        "envFrom": [{"configMapRef": {"name": name}}, {"secretRef": {"name": name}}],
        "env": [{"name": "EDITED", "value": str(workload.env)}],
    }
    pod: dict[str, Any] = {"containers": [container]}
    if workload.kind in ("Job", "CronJob"):
        pod["restartPolicy"] = "Never"
    else:
        container["ports"] = [{"containerPort": 80}]
        container["readinessProbe"] = {"tcpSocket": {"port": 80}, "periodSeconds": 5}
    if workload.kind == "Deployment":
        container["resources"] = {"requests": {"cpu": f"{2 * TARGET}m"}}
    if workload.kind == "StatefulSet":
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return {"metadata": {"labels": {"app": name}}, "spec": pod}


def _scaler(name: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 50}
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}},
    }
