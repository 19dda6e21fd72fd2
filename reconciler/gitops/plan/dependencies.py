"""What one object must come after, read from the object itself: references, its namespace and type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import GroupVersionKind, Key, Object, mapping, mappings
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_RBAC = "rbac.authorization.k8s.io"
_WORKLOADS = frozenset(
    {"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job", "CronJob", "Pod"}
)


class Dependency(NamedTuple):
    """One object that another must come after."""

    key: Key
    reason: str
    explicit: bool = False  # somebody wrote it down, so it holds also for an object outside the set


def references(obj: Object, key: Key) -> Iterator[Dependency]:
    """Yield what an object uses: it works only once they are there. Shapes that are not as expected yield nothing."""
    pod = pod_spec_of(obj) if key.kind in _WORKLOADS else None
    if pod is not None:
        yield from _of_pod(pod[1], key.namespace)
    spec = mapping(obj.get("spec"))
    match key.kind:
        case "StatefulSet":
            yield from _named(
                "", "Service", key.namespace, spec.get("serviceName"), "its Pods' names need it"
            )
            for template in mappings(spec.get("volumeClaimTemplates")):
                yield from _class(mapping(template.get("spec")))
        case "PersistentVolumeClaim" | "PersistentVolume":
            yield from _class(spec)
        case "Ingress":
            yield from _of_ingress(spec, key.namespace)
        case "HorizontalPodAutoscaler":
            target = mapping(spec.get("scaleTargetRef"))
            group = GroupVersionKind.parse(str(target.get("apiVersion") or ""), "").group
            yield from _named(
                group, str(target.get("kind")), key.namespace, target.get("name"), "it scales it"
            )
        case "RoleBinding" | "ClusterRoleBinding":
            role = mapping(obj.get("roleRef"))
            namespace = key.namespace if role.get("kind") == "Role" else ""
            yield from _named(
                _RBAC, str(role.get("kind")), namespace, role.get("name"), "it binds it"
            )
            for subject in mappings(obj.get("subjects")):
                if subject.get("kind") == "ServiceAccount":
                    where = str(subject.get("namespace") or key.namespace)
                    yield from _named(
                        "", "ServiceAccount", where, subject.get("name"), "it binds it"
                    )


def _of_pod(spec: dict[str, Any], namespace: str) -> Iterator[Dependency]:
    yield from _named(
        "", "ServiceAccount", namespace, spec.get("serviceAccountName"), "its Pods run as it"
    )
    yield from _named(
        "scheduling.k8s.io", "PriorityClass", "", spec.get("priorityClassName"), "its Pods have it"
    )
    yield from _named(
        "node.k8s.io", "RuntimeClass", "", spec.get("runtimeClassName"), "its Pods have it"
    )
    for secret in mappings(spec.get("imagePullSecrets")):
        yield from _named(
            "", "Secret", namespace, secret.get("name"), "its images are pulled with it"
        )
    for field in ("initContainers", "containers"):
        for container in mappings(spec.get(field)):
            for source in mappings(container.get("envFrom")):
                yield from _config(source, namespace, "configMapRef", "secretRef")
            for variable in mappings(container.get("env")):
                yield from _config(
                    mapping(variable.get("valueFrom")), namespace, "configMapKeyRef", "secretKeyRef"
                )
    for volume in mappings(spec.get("volumes")):
        yield from _config(volume, namespace, "configMap", "secret")
        for source in mappings(mapping(volume.get("projected")).get("sources")):
            yield from _config(source, namespace, "configMap", "secret")
        claim = mapping(volume.get("persistentVolumeClaim")).get("claimName")
        yield from _named("", "PersistentVolumeClaim", namespace, claim, "its Pods mount it")


def _config(
    source: dict[str, Any], namespace: str, config_map: str, secret: str
) -> Iterator[Dependency]:
    yield from _named(
        "", "ConfigMap", namespace, mapping(source.get(config_map)).get("name"), "its Pods read it"
    )
    ref = mapping(source.get(secret))
    yield from _named(
        "", "Secret", namespace, ref.get("name") or ref.get("secretName"), "its Pods read it"
    )


def _of_ingress(spec: dict[str, Any], namespace: str) -> Iterator[Dependency]:
    yield from _named(
        "networking.k8s.io", "IngressClass", "", spec.get("ingressClassName"), "it is of that class"
    )
    backends = [mapping(spec.get("defaultBackend"))]
    for rule in mappings(spec.get("rules")):
        backends += [
            mapping(p.get("backend")) for p in mappings(mapping(rule.get("http")).get("paths"))
        ]
    for backend in backends:
        yield from _named(
            "", "Service", namespace, mapping(backend.get("service")).get("name"), "it routes to it"
        )
    for entry in mappings(spec.get("tls")):
        yield from _named(
            "", "Secret", namespace, entry.get("secretName"), "its certificate lies there"
        )


def _class(spec: dict[str, Any]) -> Iterator[Dependency]:
    yield from _named(
        "storage.k8s.io",
        "StorageClass",
        "",
        spec.get("storageClassName"),
        "its volume is made by it",
    )


def _named(group: str, kind: str, namespace: str, name: Any, reason: str) -> Iterator[Dependency]:
    if isinstance(name, str) and name:
        yield Dependency(Key(group, kind, namespace, name), reason)


def defined_type(obj: Object) -> tuple[str, str] | None:
    """Return the (group, kind) that a CustomResourceDefinition defines; None for any other object."""
    if obj.get("kind") != "CustomResourceDefinition":
        return None
    spec = mapping(obj.get("spec"))
    return str(spec.get("group") or ""), str(mapping(spec.get("names")).get("kind") or "")


def home_of(key: Key) -> Dependency | None:
    """Return the Namespace that an object lives in; None for one that is in none."""
    if not key.namespace or key.kind == "Namespace":
        return None
    return Dependency(Key("", kinds.NAMESPACE.kind, "", key.namespace), "it lives in it")
