"""apiVersions, annotations and fields that Kubernetes has removed or will, and what took their place. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import GroupVersionKind
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path

Version = tuple[int, int]


class Removal(NamedTuple):
    """The fate of one apiVersion of a kind."""

    deprecated: Version
    removed: Version | None  # None: not decided
    instead: str  # an apiVersion, or what to use; empty: nothing


def _rows(
    api_version: str, kinds: str, deprecated: Version, removed: Version | None, instead: str
) -> dict[tuple[str, str], Removal]:
    return {(api_version, kind): Removal(deprecated, removed, instead) for kind in kinds.split()}


_APPS = "Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision"
_RBAC = "Role RoleBinding ClusterRole ClusterRoleBinding"
_WEBHOOKS = "ValidatingWebhookConfiguration MutatingWebhookConfiguration"
_FLOW = "FlowSchema PriorityLevelConfiguration"

#: (apiVersion, kind) -> when it was deprecated and removed, and what took its place.
REMOVALS = MappingProxyType(
    _rows("extensions/v1beta1", "Deployment ReplicaSet DaemonSet", (1, 9), (1, 16), "apps/v1")
    | _rows("extensions/v1beta1", "NetworkPolicy", (1, 9), (1, 16), "networking.k8s.io/v1")
    | _rows("extensions/v1beta1", "PodSecurityPolicy", (1, 10), (1, 16), "")
    | _rows("extensions/v1beta1", "Ingress", (1, 14), (1, 22), "networking.k8s.io/v1")
    | _rows("apps/v1beta1", _APPS, (1, 9), (1, 16), "apps/v1")
    | _rows("apps/v1beta2", _APPS, (1, 9), (1, 16), "apps/v1")
    | _rows("networking.k8s.io/v1beta1", "Ingress IngressClass", (1, 19), (1, 22), "networking.k8s.io/v1")
    | _rows("rbac.authorization.k8s.io/v1beta1", _RBAC, (1, 17), (1, 22), "rbac.authorization.k8s.io/v1")
    | _rows("rbac.authorization.k8s.io/v1alpha1", _RBAC, (1, 17), (1, 22), "rbac.authorization.k8s.io/v1")
    | _rows("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", (1, 16), (1, 22), "apiextensions.k8s.io/v1")
    | _rows("admissionregistration.k8s.io/v1beta1", _WEBHOOKS, (1, 16), (1, 22), "admissionregistration.k8s.io/v1")
    | _rows("apiregistration.k8s.io/v1beta1", "APIService", (1, 19), (1, 22), "apiregistration.k8s.io/v1")
    | _rows("authentication.k8s.io/v1beta1", "TokenReview", (1, 19), (1, 22), "authentication.k8s.io/v1")
    | _rows("authorization.k8s.io/v1beta1",
            "LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview SelfSubjectRulesReview",
            (1, 19), (1, 22), "authorization.k8s.io/v1")
    | _rows("certificates.k8s.io/v1beta1", "CertificateSigningRequest", (1, 19), (1, 22), "certificates.k8s.io/v1")
    | _rows("coordination.k8s.io/v1beta1", "Lease", (1, 19), (1, 22), "coordination.k8s.io/v1")
    | _rows("scheduling.k8s.io/v1beta1", "PriorityClass", (1, 14), (1, 22), "scheduling.k8s.io/v1")
    | _rows("scheduling.k8s.io/v1alpha1", "PriorityClass", (1, 14), (1, 22), "scheduling.k8s.io/v1")
    | _rows("storage.k8s.io/v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment", (1, 19), (1, 22),
            "storage.k8s.io/v1")
    | _rows("storage.k8s.io/v1beta1", "CSIStorageCapacity", (1, 24), (1, 27), "storage.k8s.io/v1")
    | _rows("batch/v2alpha1", "CronJob", (1, 8), (1, 21), "batch/v1")
    | _rows("batch/v1beta1", "CronJob", (1, 21), (1, 25), "batch/v1")
    | _rows("discovery.k8s.io/v1beta1", "EndpointSlice", (1, 21), (1, 25), "discovery.k8s.io/v1")
    | _rows("events.k8s.io/v1beta1", "Event", (1, 19), (1, 25), "events.k8s.io/v1")
    | _rows("autoscaling/v2beta1", "HorizontalPodAutoscaler", (1, 22), (1, 25), "autoscaling/v2")
    | _rows("autoscaling/v2beta2", "HorizontalPodAutoscaler", (1, 23), (1, 26), "autoscaling/v2")
    | _rows("policy/v1beta1", "PodDisruptionBudget", (1, 21), (1, 25), "policy/v1")
    | _rows("policy/v1beta1", "PodSecurityPolicy", (1, 21), (1, 25), "Pod Security Admission")
    | _rows("node.k8s.io/v1beta1", "RuntimeClass", (1, 20), (1, 25), "node.k8s.io/v1")
    | _rows("flowcontrol.apiserver.k8s.io/v1beta1", _FLOW, (1, 23), (1, 26), "flowcontrol.apiserver.k8s.io/v1")
    | _rows("flowcontrol.apiserver.k8s.io/v1beta2", _FLOW, (1, 26), (1, 29), "flowcontrol.apiserver.k8s.io/v1")
    | _rows("flowcontrol.apiserver.k8s.io/v1beta3", _FLOW, (1, 29), (1, 32), "flowcontrol.apiserver.k8s.io/v1")
    | _rows("v1", "ComponentStatus", (1, 19), None, "")
    | _rows("v1", "Endpoints", (1, 33), None, "discovery.k8s.io/v1 EndpointSlice")
)  # fmt: skip

#: annotation, or the prefix of one -> the field that took its place.
_ANNOTATIONS = (
    ("kubernetes.io/ingress.class", "spec.ingressClassName"),
    ("seccomp.security.alpha.kubernetes.io/", "securityContext.seccompProfile"),
    ("container.seccomp.security.alpha.kubernetes.io/", "securityContext.seccompProfile"),
    ("container.apparmor.security.beta.kubernetes.io/", "securityContext.appArmorProfile"),
    ("scheduler.alpha.kubernetes.io/critical-pod", "spec.priorityClassName"),
    ("scheduler.alpha.kubernetes.io/tolerations", "spec.tolerations"),
    ("scheduler.alpha.kubernetes.io/affinity", "spec.affinity"),
    ("pod.alpha.kubernetes.io/", "spec.initContainers"),
    ("pod.beta.kubernetes.io/", "spec.initContainers, spec.hostname or spec.subdomain"),
    ("volume.beta.kubernetes.io/storage-class", "spec.storageClassName"),
    ("volume.beta.kubernetes.io/mount-options", "spec.mountOptions"),
    ("service.alpha.kubernetes.io/tolerate-unready-endpoints", "spec.publishNotReadyAddresses"),
)
_ANNOTATION_DOMAINS = ("alpha.kubernetes.io", "beta.kubernetes.io", "kubernetes.io/ingress.class")

#: label of Nodes -> the one that took its place.
_NODE_LABELS = MappingProxyType(
    {
        "beta.kubernetes.io/os": "kubernetes.io/os",
        "beta.kubernetes.io/arch": "kubernetes.io/arch",
        "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
        "node-role.kubernetes.io/master": "node-role.kubernetes.io/control-plane",
    }
)
#: field of a Pod's spec, or type of a volume -> what took its place.
_FIELDS = MappingProxyType({"serviceAccount": "serviceAccountName"})
_VOLUMES = MappingProxyType(
    {
        "gitRepo": "an init container that clones into an emptyDir",
        "flocker": "a CSI driver", "quobyte": "a CSI driver", "storageos": "a CSI driver",
        "glusterfs": "a CSI driver", "scaleIO": "a CSI driver", "rbd": "a CSI driver", "cephfs": "a CSI driver",
    }
)  # fmt: skip


def removal_of(gvk: GroupVersionKind) -> Removal | None:
    """Return what becomes of a kind's apiVersion; None for one that stays."""
    return REMOVALS.get((gvk.api_version, gvk.kind))


def check_version(document: Document, gvk: GroupVersionKind, target: Version) -> Iterator[Finding]:
    """Yield a finding for an apiVersion that the target version of Kubernetes has removed or deprecated."""
    found = removal_of(gvk)
    if found is None or target < found.deprecated:
        return
    hint = f"use {found.instead}" if found.instead else "nothing has taken its place"
    expected, got = found.instead, gvk.api_version
    what = f"{gvk.kind} in {gvk.api_version}"
    if found.removed is not None and target >= found.removed:
        told = f"{what} was removed in Kubernetes {_written(found.removed)}: {hint}"
        yield document.finding(
            "deprecation/removed", "error", told, ("apiVersion",), expected=expected, got=got
        )
        return
    until = f" and will be removed in {_written(found.removed)}" if found.removed else ""
    told = f"{what} is deprecated since Kubernetes {_written(found.deprecated)}{until}: {hint}"
    yield document.finding(
        "deprecation/deprecated", "warning", told, ("apiVersion",), expected=expected, got=got
    )


def _written(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def check_old_words(document: Document) -> Iterator[Finding]:
    """Yield a finding for every annotation, label and field that another has taken the place of."""
    obj = document.object
    yield from _annotations(document, obj, ())
    found = pod_spec_of(obj)
    if found is None:
        return
    path, spec = found
    if len(path) > 1:
        holder: Any = obj
        for part in path[:-1]:
            holder = holder[part]
        yield from _annotations(document, holder, path[:-1])
    for old, new in _FIELDS.items():
        if spec.get(old) and not spec.get(new):
            yield _field(document, (*path, old), old, new)
    for key in spec.get("nodeSelector") or ():
        if key in _NODE_LABELS:
            yield _field(document, (*path, "nodeSelector", key), f"label {key}", _NODE_LABELS[key])
    for index, volume in enumerate(spec.get("volumes") or ()):
        for kind in volume or ():
            if kind in _VOLUMES:
                yield _field(
                    document, (*path, "volumes", index, kind), f"volume type {kind}", _VOLUMES[kind]
                )


def _field(document: Document, path: Path, old: str, new: str) -> Finding:
    return document.finding(
        "deprecation/field", "warning", f"{old} is deprecated: use {new}", path, expected=new
    )


def _annotations(document: Document, holder: Any, path: Path) -> Iterator[Finding]:
    held = (holder.get("metadata") or {}).get("annotations") or {}
    for key in held:
        if not any(d in key for d in _ANNOTATION_DOMAINS):
            continue
        for known, instead in _ANNOTATIONS:
            if key == known or (known.endswith("/") and key.startswith(known)):
                told = f"annotation {key} is deprecated: use {instead}"
                here = (*path, "metadata", "annotations", key)
                yield document.finding(
                    "deprecation/annotation", "warning", told, here, expected=instead
                )
                break
