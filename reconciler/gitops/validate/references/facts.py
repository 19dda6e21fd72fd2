"""What one document is for the others, and what it asks of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.objects import GroupVersionKind, Key, Object
from reconciler.gitops.validate.pods import pod_spec_of
from reconciler.gitops.validate.references.made import made_of
from reconciler.gitops.validate.references.pods import of_pod, ports_of
from reconciler.gitops.validate.references.reference import Facts, Pairs, Part, Reference, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.render.reader import Path


def key_of(obj: Object, default: str) -> Key | None:
    """Return an object's key with its namespace filled in; None for one without a readable name."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
        return None
    key = Key.of(obj)
    namespaced = kinds.kind_of(obj).namespaced
    return key._replace(namespace=(key.namespace or default) if namespaced else "")


def facts_of(obj: Object, default: str) -> Facts | None:
    """Return what a sound object asks for; None where it has no name of its own."""
    key = key_of(obj, default)
    namespace = key.namespace if key is not None else default
    facts = Facts(key or Key("", "", namespace, ""))
    pod = pod_spec_of(obj)
    if pod is not None:
        path, spec = pod
        holder: Any = obj
        for part in path[:-1]:
            holder = holder[part]
        facts = facts._replace(
            references=tuple(of_pod(spec, path, namespace)),
            labels=pairs((holder.get("metadata") or {}).get("labels")),
            ports=ports_of(spec),
        )
    facts = _of_kind(obj, obj.get("spec") or {}, facts, namespace)
    if makes := tuple(made_of(obj, namespace)):
        facts = facts._replace(makes=makes)
    return None if key is None and not facts.references else facts


def _of_kind(obj: Object, spec: dict[str, Any], facts: Facts, namespace: str) -> Facts:
    match obj.get("apiVersion"), obj.get("kind"):
        case "networking.k8s.io/v1", "Ingress":
            return facts._replace(
                references=tuple(_of_ingress(spec, namespace)), routes=tuple(_routes(spec))
            )
        case "v1", "Service":
            return _of_service(spec, facts)
        case "policy/v1", "PodDisruptionBudget":
            selector = spec.get("selector") or {}
            if not selector.get("matchExpressions"):
                return facts._replace(selector=pairs(selector.get("matchLabels")))
        case "apps/v1", "StatefulSet":
            return facts._replace(
                references=(*facts.references, *_of_stateful_set(spec, namespace))
            )
        case "autoscaling/v1" | "autoscaling/v2", "HorizontalPodAutoscaler":
            ref = spec.get("scaleTargetRef") or {}
            gvk = GroupVersionKind.parse(
                str(ref.get("apiVersion") or ""), str(ref.get("kind") or "")
            )
            target = Key(gvk.group, gvk.kind, namespace, str(ref.get("name") or ""))
            reference = Reference(
                target, ("spec", "scaleTargetRef", "name"), "reference/scale-target"
            )
            return facts._replace(references=(reference,), scales=target)
        case "v1", "PersistentVolumeClaim":
            return facts._replace(references=tuple(_of_claim(spec, ("spec",))))
    return facts


def pairs(labels: Any) -> Pairs:
    """Return labels as something that can be hashed."""
    return tuple((str(k), str(v)) for k, v in (labels or {}).items())


def _of_service(spec: dict[str, Any], facts: Facts) -> Facts:
    targets, nodes = [], []
    for index, port in enumerate(spec.get("ports") or ()):
        target = port.get("targetPort")
        if isinstance(target, str) and not target.isdigit():
            targets.append(Part(target, ("spec", "ports", index, "targetPort")))
        if port.get("nodePort"):
            claim = f"{port.get('protocol') or 'TCP'}/{port['nodePort']}"
            nodes.append(Part(claim, ("spec", "ports", index, "nodePort")))
    external = spec.get("type") == "ExternalName"
    selector = () if external else pairs(spec.get("selector"))
    return facts._replace(selector=selector, target_ports=tuple(targets), node_ports=tuple(nodes))


def _of_stateful_set(spec: dict[str, Any], namespace: str) -> Iterator[Reference]:
    if spec.get("serviceName"):
        yield Reference(
            Key("", "Service", namespace, spec["serviceName"]), ("spec", "serviceName"),
            "reference/service", "warning", why=": its Pods have no names of their own",
        )  # fmt: skip
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from _of_claim(
            claim.get("spec") or {}, ("spec", "volumeClaimTemplates", index, "spec")
        )


def _of_claim(spec: dict[str, Any], path: Path) -> Iterator[Reference]:
    name = spec.get("storageClassName")
    if name and not spec.get("volumeName"):
        key = Key("storage.k8s.io", "StorageClass", "", name)
        yield Reference(key, (*path, "storageClassName"), "reference/storage-class", "warning")


def _backends(spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Path]]:
    if spec.get("defaultBackend"):
        yield spec["defaultBackend"], ("spec", "defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, entry in enumerate((rule.get("http") or {}).get("paths") or ()):
            path = ("spec", "rules", index, "http", "paths", number, "backend")
            yield entry.get("backend") or {}, path


def _of_ingress(spec: dict[str, Any], namespace: str) -> Iterator[Reference]:
    for backend, inside in _backends(spec):
        service = backend.get("service") or {}
        if not service.get("name"):
            continue
        port = service.get("port") or {}
        wanted = port.get("number") or port.get("name")
        field = "number" if port.get("number") else "name"
        parts = (Part(wanted, (*inside, "service", "port", field)),) if wanted else ()
        key = Key("", "Service", namespace, service["name"])
        yield Reference(key, (*inside, "service", "name"), "reference/service", parts=parts)
    for index, entry in enumerate(spec.get("tls") or ()):
        if entry.get("secretName"):
            key = Key("", "Secret", namespace, entry["secretName"])
            yield Reference(key, ("spec", "tls", index, "secretName"), "reference/tls")


def _routes(spec: dict[str, Any]) -> Iterator[Route]:
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, entry in enumerate((rule.get("http") or {}).get("paths") or ()):
            claim = (rule.get("host") or "", entry.get("path") or "/", entry.get("pathType") or "")
            path = ("spec", "rules", index, "http", "paths", number)
            yield Route(claim, repr(entry.get("backend")), path)
