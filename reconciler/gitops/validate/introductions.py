"""apiVersions that Kubernetes serves only since a version: an older one does not know them. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import GroupVersionKind
    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document

#: (apiVersion, kind) -> the first 1.x that serves it; an apiVersion whose kinds came together stands under "".
_SINCE = MappingProxyType(
    {
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): 16,
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"): 16,
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): 30,
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): 30,
        ("apiextensions.k8s.io/v1", ""): 16,
        ("apps/v1", ""): 9,
        ("autoscaling/v2", ""): 23,
        ("batch/v1", "CronJob"): 21,
        ("certificates.k8s.io/v1", ""): 19,
        ("coordination.k8s.io/v1", "Lease"): 14,
        ("discovery.k8s.io/v1", ""): 21,
        ("events.k8s.io/v1", ""): 19,
        ("flowcontrol.apiserver.k8s.io/v1", ""): 29,
        ("networking.k8s.io/v1", "Ingress"): 19,
        ("networking.k8s.io/v1", "IngressClass"): 19,
        ("node.k8s.io/v1", ""): 20,
        ("policy/v1", "PodDisruptionBudget"): 21,
        ("resource.k8s.io/v1", ""): 34,
        ("scheduling.k8s.io/v1", ""): 14,
        ("storage.k8s.io/v1", "CSIDriver"): 18,
        ("storage.k8s.io/v1", "CSIStorageCapacity"): 24,
    }
)


def check_introduced(
    document: Document, gvk: GroupVersionKind, target: tuple[int, int]
) -> Iterator[Finding]:
    """Yield an error for an apiVersion that the target version of Kubernetes does not serve yet."""
    since = _SINCE.get((gvk.api_version, gvk.kind), _SINCE.get((gvk.api_version, ""), 0))
    if target < (1, since):
        told = (
            f"{gvk.kind} in {gvk.api_version} is served since Kubernetes 1.{since}, "
            f"not yet by {target[0]}.{target[1]}"
        )
        yield document.finding("schema/unknown-version", "error", told, ("apiVersion",))
