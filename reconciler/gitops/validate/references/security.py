"""Pods that a Namespace of the set will refuse by its Pod Security label. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import pod_security
from reconciler.api.objects import labels_of
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.validate.references.reference import Facts


def check_pod_security(
    documents: Sequence[Document], facts: Sequence[Facts | None]
) -> Iterator[Finding]:
    """Yield Pods and templates that ask for more than their Namespace's level.

    A template is a warning: a cluster takes the workload, and only its Pods are refused.
    """
    labelled = {
        fact.key.name: labels_of(document.object)
        for document, fact in zip(documents, facts, strict=True)
        if fact is not None
        and fact.key.kind == "Namespace"
        and pod_security.ENFORCE in labels_of(document.object)
    }
    if not labelled:
        return
    for document, fact in zip(documents, facts, strict=True):
        if fact is None or fact.key.namespace not in labelled:
            continue
        found = pod_spec_of(document.object)
        if found is None:
            continue
        path, spec = found
        if why := pod_security.refusal(spec, labelled[fact.key.namespace], "privileged"):
            is_pod = fact.key.kind == "Pod"
            told = (
                f"Namespace {fact.key.namespace} refuses {'it' if is_pod else 'its Pods'}: it {why}"
            )
            severity = "error" if is_pod else "warning"
            yield document.finding("reference/pod-security", severity, told, path)
