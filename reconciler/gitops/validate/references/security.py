"""Pods that a Namespace of the set will refuse by its Pod Security label. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import pod_security
from reconciler.api.objects import labels_of
from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.validate.references.reference import Facts
    from reconciler.gitops.validate.references.survey import Survey


class PodSecurity:
    """The Namespaces of a set that refuse Pods."""

    def __init__(self, survey: Survey) -> None:
        self._judged = survey.judged
        self._labelled: dict[str, dict[str, str]] = {}
        for number in survey.sound_namespaces:
            obj = self._judged.document(number).object
            if pod_security.ENFORCE in labels_of(obj):
                self._labelled[obj["metadata"]["name"]] = labels_of(obj)

    def check(self, number: int, facts: Facts) -> Iterator[Finding]:
        """Yield a Pod or template that asks for more than its Namespace's level.

        A template is a warning: a cluster takes the workload, and only its Pods are refused.
        """
        level = self._labelled.get(facts.key.namespace)
        if level is None:
            return
        document = self._judged.document(number)
        found = pod_spec_of(document.object)
        if found is None:
            return
        path, spec = found
        if why := pod_security.refusal(spec, level, "privileged"):
            is_pod = facts.key.kind == "Pod"
            told = f"Namespace {facts.key.namespace} refuses {'it' if is_pod else 'its Pods'}: it {why}"
            severity = "error" if is_pod else "warning"
            yield document.finding("reference/pod-security", severity, told, path)
