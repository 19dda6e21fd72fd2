"""What a manifest asks for that one node and its proxy cannot give, or only with a gap: said before anything runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.int_or_string import scaled
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path

Part = dict[str, Any]

#: What an Ingress is asked to speak to its backends by controllers' annotations; here it speaks HTTP/1.1.
_PROTOCOLS = frozenset({"grpc", "grpcs", "https", "fcgi", "h2c"})
_BACKEND_PROTOCOL = "nginx.ingress.kubernetes.io/backend-protocol"
_HTTP_2 = frozenset({"kubernetes.io/h2c", "h2c", "http2", "grpc"})


def one_node(document: Document, honoured: frozenset[str]) -> Iterator[Finding]:
    """Yield what will not be as it is written, where ``honoured`` is of a runtime that runs Pods here."""
    if "spec" in honoured:
        return
    obj = document.object
    for path, told in _host_ports(obj):
        yield document.finding("runtime/host-port", "warning", told, path)
    for severity, path, told in _not_served(obj):
        yield document.finding("runtime/not-served", severity, told, path)


def _host_ports(obj: Part) -> Iterator[tuple[Path, str]]:
    kind, spec = str(obj.get("kind")), obj.get("spec") or {}
    found = pod_spec_of(obj)
    if found is None or kind not in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        return
    where, pod = found
    first = next(_taken(pod, where), None)
    if first is None:
        return
    path, port = first
    replicas = spec.get("replicas", 1)
    if not isinstance(replicas, int) or replicas < 1:
        return
    if kind != "DaemonSet" and replicas > 1:
        told = (
            f"{replicas} Pods want port {port} of one host: the first has it, the others wait. A Service of type NodePort or "
            "LoadBalancer has one port for all of them"
        )
        yield path, told
    elif kind == "Deployment" and (told := _rolls(spec, replicas)):
        yield (
            path,
            f"{told.format(port=port)}. Behind a Service of type NodePort or LoadBalancer there is no gap",
        )
    elif kind == "DaemonSet":
        yield (
            path,
            f"rolls with downtime: the new Pod waits for port {port} until the old one has ended",
        )


def _taken(pod: Part, where: Path) -> Iterator[tuple[Path, int]]:
    """Yield the ports of the host that a Pod takes; on the host's network those of its containers are."""
    shared = bool(pod.get("hostNetwork"))
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(pod.get(kind) or ()):
            if kind == "initContainers" and container.get("restartPolicy") != "Always":
                continue
            for number, port in enumerate(container.get("ports") or ()):
                taken = port.get("hostPort") or (port.get("containerPort") if shared else None)
                if taken:
                    yield (*where, kind, index, "ports", number), taken


def _rolls(spec: Part, replicas: int) -> str:
    """Return how a rollout goes whose Pods cannot run beside each other."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return ""  # a gap is what it asks for
    rolling = strategy.get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    down = scaled(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if surge and not down:
        return (
            "a rollout never ends: the new Pod waits for port {port}, which the old one keeps because maxUnavailable is 0. Say "
            "maxSurge: 0 and maxUnavailable: 1, or strategy Recreate (both with downtime)"
        )
    return "rolls with downtime: the new Pod waits for port {port} until the old one has ended"


def _not_served(obj: Part) -> Iterator[tuple[str, Path, str]]:
    kind, spec = obj.get("kind"), obj.get("spec") or {}
    if kind == "Service" and obj.get("apiVersion") == "v1":
        for index, port in enumerate(spec.get("ports") or ()):
            path: Path = ("spec", "ports", index)
            if port.get("protocol") == "SCTP":
                yield "warning", (*path, "protocol"), "SCTP is not balanced here: nothing listens"
            if str(port.get("appProtocol") or "").lower() in _HTTP_2:
                told = (
                    "connections to the Service are passed on as they are, so HTTP/2 and gRPC work through it; an Ingress speaks "
                    "HTTP/1.1 to it"
                )
                yield "info", (*path, "appProtocol"), told
    elif kind == "Ingress":
        annotations = (obj.get("metadata") or {}).get("annotations") or {}
        if str(annotations.get(_BACKEND_PROTOCOL, "")).lower() in _PROTOCOLS:
            told = f"Ingress speaks HTTP/1.1 to its backends, not {annotations[_BACKEND_PROTOCOL]}: a NodePort Service passes it on"
            yield "warning", ("metadata", "annotations", _BACKEND_PROTOCOL), told
        for index, rule in enumerate(spec.get("rules") or ()):
            for number, path_ in enumerate((rule.get("http") or {}).get("paths") or ()):
                if (path_.get("backend") or {}).get("resource"):
                    where: Path = ("spec", "rules", index, "http", "paths", number, "backend")
                    yield "warning", where, "a backend that is no Service is not served: 404"
