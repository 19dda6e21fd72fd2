"""What the simulated repository holds: a workload's model, and the manifests that it stands for. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.simulation.story import Step

_KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job": "Job",
}


class Workload(NamedTuple):
    """One workload of the repository; ``name`` begins with its kind in small letters."""

    name: str
    replicas: int = 1
    image: int = 1
    env: int = 0

    @property
    def kind(self) -> str:
        return _KINDS[self.name.partition("-")[0]]


def edited(workloads: dict[str, Workload], step: Step) -> dict[str, Workload]:
    """Return the repository after an edit; what an edit does not find is left alone."""
    found = workloads.get(step.target)
    rest = {n: w for n, w in workloads.items() if n != step.target}
    if step.what == "create":
        return {**workloads, step.target: found or Workload(step.target, max(step.value, 1))}
    if found is None or (found.kind == "Job" and step.what in ("image", "env")):
        return workloads  # a Job's template cannot be changed
    if found.kind == "StatefulSet" and step.what in ("delete", "rename"):
        return (
            workloads  # its prune waits for a user's confirmation, and nobody is there to give it
        )
    if step.what == "delete":
        return rest
    if step.what == "rename":
        renamed = f"{found.name}-{step.value}"
        return {**rest, renamed: found._replace(name=renamed)}
    changed = {
        "scale": found._replace(replicas=step.value),
        "image": found._replace(image=found.image + 1),
        "env": found._replace(env=found.env + 1),
    }
    return {**rest, step.target: changed[step.what]}


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
    """Return a workload with the ConfigMap that it reads and the Service before it."""
    name, labels = workload.name, {"app": workload.name}
    container: dict[str, Any] = {
        "name": "app",
        "image": f"app:{workload.image}",
        "command": ["app"],
        "envFrom": [{"configMapRef": {"name": name}}],
        "env": [{"name": "EDITED", "value": str(workload.env)}],
    }
    pod: dict[str, Any] = {"containers": [container]}
    spec: dict[str, Any] = {"template": {"metadata": {"labels": labels}, "spec": pod}}
    if workload.kind == "Job":
        pod["restartPolicy"] = "Never"
    else:
        spec["selector"] = {"matchLabels": labels}
        container["ports"] = [{"containerPort": 80}]
        container["readinessProbe"] = {"tcpSocket": {"port": 80}, "periodSeconds": 5}
    if workload.kind in ("Deployment", "StatefulSet"):
        spec["replicas"] = workload.replicas
    if workload.kind == "StatefulSet":
        spec["serviceName"] = name
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        }
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    group = "batch/v1" if workload.kind == "Job" else "apps/v1"
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"A": "1"}},
        {"apiVersion": group, "kind": workload.kind, "metadata": {"name": name}, "spec": spec},
    ]
    if workload.kind != "Job":
        service = {"selector": labels, "ports": [{"port": 80}]}
        if workload.kind == "StatefulSet":
            service["clusterIP"] = "None"
        objects.append(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service}
        )
    return objects
