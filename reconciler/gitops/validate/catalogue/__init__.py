"""Every rule, once: its id, how bad breaking it is, what it asks for. The page of rules is generated from here."""

from __future__ import annotations

from types import MappingProxyType

from reconciler.gitops.validate.catalogue import gitops, made, objects, other, pods, sets, stored
from reconciler.gitops.validate.catalogue.rule import Rule

__all__ = ["GROUPS", "RULES", "SEVERITIES", "Rule"]

SEVERITIES = ("off", "info", "warning", "error")

#: Groups of rules in the order of the page, and what each is about.
GROUPS = MappingProxyType(
    {
        "syntax": "Text: YAML as Kubernetes reads it",
        "template": "Templates",
        "values": "Values of templates",
        "source": "Files and directories",
        "kustomize": "Kustomize",
        "helm": "Helm",
        "substitute": "Variables",
        "sops": "Encrypted files",
        "schema": "Schemas: fields and their types",
        "rule": "What an API server refuses beyond its schema",
        "reference": "Between documents: what one names must exist",
        "gitops": "What annotations tell a sync",
        "plan": "The order of a sync",
        "runtime": "What the runtime does not act on",
        "deprecation": "What Kubernetes has removed, or will",
        "ignore": "Comments that ignore rules",
        "practice": "Good practice, on request",
    }
)

#: Every rule by its id.
RULES = MappingProxyType(
    {r.id: r for module in (other, made, pods, objects, stored, sets, gitops) for r in module.RULES}
)
