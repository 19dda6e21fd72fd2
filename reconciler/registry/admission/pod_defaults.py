"""Defaults of a Pod's spec, which the workloads' templates share."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def default_pod_spec(spec: Spec, *, template: bool = True) -> None:
    """Fill in a Pod spec in place. What has a wrong type is left for validation to name.

    Only a Pod's own spec, not a ``template``, gets the requests that its limits imply (P39).
    """
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in _dicts(spec.get(field)):
            _container(container)
            if not template and field != "ephemeralContainers":
                _requests(container)
            if spec.get("hostNetwork") is True:
                _host_ports(container)
    for volume in _dicts(spec.get("volumes")):
        _volume(volume)


def _dicts(value: Any) -> list[Spec]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _container(container: Spec) -> None:
    image = container.get("image")
    container.setdefault("imagePullPolicy", _pull_policy(image if isinstance(image, str) else ""))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in _dicts(container.get("ports")):
        port.setdefault("protocol", "TCP")
    _environment(container)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])
    lifecycle = container.get("lifecycle")
    if isinstance(lifecycle, dict):
        for hook in lifecycle.values():
            if isinstance(hook, dict):
                _http_get(hook)


def _requests(container: Spec) -> None:
    resources = container.get("resources")
    if isinstance(resources, dict) and isinstance(resources.get("limits"), dict):
        requests = resources.setdefault("requests", {})
        if isinstance(requests, dict):
            for name, value in resources["limits"].items():
                requests.setdefault(name, value)


def _host_ports(container: Spec) -> None:
    """A Pod in the host's network takes the host's ports (P41)."""
    for port in _dicts(container.get("ports")):
        if "containerPort" in port:
            port.setdefault("hostPort", port["containerPort"])


def _environment(container: Spec) -> None:
    for variable in _dicts(container.get("env")):
        source = variable.get("valueFrom")
        if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
            source["fieldRef"].setdefault("apiVersion", "v1")
        if isinstance(source, dict) and isinstance(source.get("resourceFieldRef"), dict):
            source["resourceFieldRef"].setdefault("divisor", "0")


def _pull_policy(image: str) -> str:
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: Spec) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _http_get(probe)
    if isinstance(probe.get("grpc"), dict):
        probe["grpc"].setdefault("service", "")


def _http_get(handler: Spec) -> None:
    get = handler.get("httpGet")
    if isinstance(get, dict):
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")


def _volume(volume: Spec) -> None:
    if not any(k != "name" for k in volume):
        volume["emptyDir"] = {}
    for field in ("configMap", "secret", "projected", "downwardAPI"):
        source = volume.get(field)
        if isinstance(source, dict):
            source.setdefault("defaultMode", 0o644)
            if field == "downwardAPI":
                _downward(source)
            for part in _dicts(source.get("sources")):
                if isinstance(part.get("downwardAPI"), dict):
                    _downward(part["downwardAPI"])
                token = part.get("serviceAccountToken")
                if isinstance(token, dict):
                    token.setdefault("expirationSeconds", 3600)
    path = volume.get("hostPath")
    if isinstance(path, dict):
        path.setdefault("type", "")


def _downward(source: Spec) -> None:
    for item in _dicts(source.get("items")):
        ref = item.get("fieldRef")
        if isinstance(ref, dict):
            ref.setdefault("apiVersion", "v1")
