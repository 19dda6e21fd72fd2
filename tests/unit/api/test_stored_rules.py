"""Kinds that nothing here runs are checked as an API server checks them: RBAC, webhooks, definitions of kinds, quotas."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from reconciler.api import rules, schemas
from reconciler.api.objects import GroupVersionKind

RBAC = "rbac.authorization.k8s.io/v1"
HOOK = {
    "name": "images.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
    "clientConfig": {"service": {"name": "hook", "namespace": "ops"}},
    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
}  # fmt: skip
CRD = {
    "group": "example.com", "names": {"plural": "carts", "kind": "Cart"}, "scope": "Namespaced",
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
}  # fmt: skip
POD = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "a", "image": "b:1"}]},
}


def thing(version: str, kind: str, name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def told(obj: dict[str, Any]) -> list[str]:
    """Return what its schema and its rules say of an object."""
    validator = schemas.validator(GroupVersionKind.of(obj))
    assert validator is not None
    shape = [str(e.message) for e in validator.errors(obj)]
    return shape or [f"{p.field}: {p.message}" for p in rules.problems(obj)]


def role(kind: str = "Role", **rule: Any) -> dict[str, Any]:
    return thing(RBAC, kind, rules=[rule])


def binding(
    binds: str = "RoleBinding", /, *, ref: dict[str, Any] | None = None, **subject: Any
) -> dict[str, Any]:
    ref = ref or {"apiGroup": RBAC[:-3], "kind": "ClusterRole", "name": "view"}
    return thing(RBAC, binds, roleRef=ref, subjects=[subject] if subject else [])


def hook(**changed: Any) -> dict[str, Any]:
    kind = "MutatingWebhookConfiguration"
    return thing("admissionregistration.k8s.io/v1", kind, webhooks=[HOOK | changed])


def definition(name: str = "carts.example.com", **changed: Any) -> dict[str, Any]:
    return thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", name, spec=CRD | changed)


def versions(**schema: Any) -> list[dict[str, Any]]:
    return [CRD["versions"][0] | {"schema": {"openAPIV3Schema": schema}}]  # type: ignore[index]


def controller(**spec: Any) -> dict[str, Any]:
    return thing("v1", "ReplicationController", spec={"template": POD, **spec})


RIGHT = {
    "role": role(apiGroups=[""], resources=["pods"], verbs=["get"]),
    "names of resources": role(apiGroups=[""], resources=["pods"], resourceNames=["a"], verbs=["get"]),
    "urls of a cluster role": role("ClusterRole", nonResourceURLs=["/metrics"], verbs=["get"]),
    "aggregated": thing(RBAC, "ClusterRole", "system:aggregate", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}),
    "a role without rules": thing(RBAC, "Role", rules=None),
    "binding": binding(kind="ServiceAccount", name="a", namespace="ops"),
    "group": binding("ClusterRoleBinding", kind="Group", name="system:masters", apiGroup=RBAC[:-3]),
    "user without a group": binding(kind="User", name="ann@example.com"),
    "webhook": hook(),
    "webhook by its url": hook(clientConfig={"url": "https://hook.example.com:8443/check"}),
    "definition": definition(),
    "any fields": definition(versions=versions(type="object", properties={"spec": {"x-kubernetes-preserve-unknown-fields": True}})),
    "number or percentage": definition(versions=versions(type="object", properties={"most": {"x-kubernetes-int-or-string": True}})),
    "quota": thing("v1", "ResourceQuota", spec={"hard": {"pods": "10", "requests.cpu": "4", "count/jobs.batch": 3, "requests.nvidia.com/gpu": 1}}),
    "limits": thing("v1", "LimitRange", spec={"limits": [{"type": "Container", "min": {"cpu": "10m"}, "default": {"cpu": 1}, "max": {"cpu": 2}}]}),
    "limits of claims": thing("v1", "LimitRange", spec={"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}),
    "controller": controller(),
    "controller with its selector": controller(selector={"app": "a"}, replicas=2),
    "priority": thing("scheduling.k8s.io/v1", "PriorityClass", value=1000000),
    "runtime class": thing("node.k8s.io/v1", "RuntimeClass", handler="gvisor"),
    "lease": thing("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "a", "renewTime": "2026-01-01T00:00:00.000000Z"}),
}  # fmt: skip

WRONG = {
    "no verbs": (role(apiGroups=[""], resources=["pods"], verbs=[]), "rules[0].verbs: Required value: verbs must contain at least one value"),
    "no groups": (role(resources=["pods"], verbs=["get"]), "rules[0].apiGroups: Required value: resource rules must supply at least one api group"),
    "urls in a namespace": (role(nonResourceURLs=["/a"], verbs=["get"]), "namespaced rules cannot apply to non-resource URLs"),
    "urls and resources": (role("ClusterRole", nonResourceURLs=["/a"], resources=["pods"], verbs=["get"]), "rules cannot apply to both"),
    "misspelt": (role(apiGroups=[""], resource=["pods"], verbs=["get"]), 'unknown field "resource"'),
    "verbs as text": (role(apiGroups=[""], resources=["pods"], verbs="get"), "expected an array"),
    "no namespace": (binding(kind="ServiceAccount", name="a"), "subjects[0].namespace: Required value"),
    "a group for an account": (binding(kind="ServiceAccount", name="a", namespace="b", apiGroup=RBAC[:-3]), "subjects[0].apiGroup: Unsupported value"),
    "a subject that is none": (binding(kind="Robot", name="a"), 'supported values: "Group", "ServiceAccount", "User"'),
    "a role for all": (binding("ClusterRoleBinding", ref={"kind": "Role", "name": "a"}), 'roleRef.kind: Unsupported value: "Role"'),
    "two addresses": (hook(clientConfig={"url": "https://a.example.com", "service": {"name": "a", "namespace": "b"}}), "exactly one of url or service is required"),
    "plain http": (hook(clientConfig={"url": "http://a.example.com"}), "'https' is the only allowed URL scheme"),
    "a short name": (hook(name="images"), "at least three segments"),
    "side effects": (hook(sideEffects="Some"), '"Some"'),
    "too patient": (hook(timeoutSeconds=60), "between 1 and 30 seconds"),
    "an operation": (hook(rules=[HOOK["rules"][0] | {"operations": ["PATCH"]}]), 'Unsupported value: "PATCH"'),  # type: ignore[index]
    "another name": (definition("cart.example.com"), 'metadata.name: Invalid value: "cart.example.com": must be spec.names.plural+"."+spec.group'),
    "two stored versions": (definition(versions=[*versions(type="object"), versions(type="object")[0] | {"name": "v2"}]), "exactly one version marked as storage version"),
    "no schema": (definition(versions=[{"name": "v1", "served": True, "storage": True}]), "schemas are required"),
    "a field without a type": (definition(versions=versions(type="object", properties={"a": {"description": "x"}})), "properties.a.type: Required value: must not be empty for specified object fields"),
    "a list of what": (definition(versions=versions(type="object", properties={"a": {"type": "array"}})), "properties.a.items: Required value"),
    "a protected group": (definition("carts.x.k8s.io", group="x.k8s.io"), "protected groups must have approval annotation"),
    "scope": (definition(scope="Namespace"), '"Namespace"'),
    "quota of what": (thing("v1", "ResourceQuota", spec={"hard": {"pod": 1}}), "must be a standard resource for quota"),
    "half a Pod": (thing("v1", "ResourceQuota", spec={"hard": {"pods": "500m"}}), "must be an integer"),
    "upside down": (thing("v1", "LimitRange", spec={"limits": [{"type": "Container", "min": {"cpu": 2}, "max": {"cpu": 1}}]}), "min value 2 is greater than max value 1"),
    "defaults of a Pod": (thing("v1", "LimitRange", spec={"limits": [{"type": "Pod", "default": {"cpu": 2}}]}), "may not be specified when `type` is 'Pod'"),
    "finds nothing": (controller(selector={"app": "b"}), "`selector` does not match template `labels`"),
    "comes to an end": (controller(template=POD | {"spec": POD["spec"] | {"restartPolicy": "Never"}}), 'Unsupported value: "Never"'),  # type: ignore[operator]
    "too important": (thing("scheduling.k8s.io/v1", "PriorityClass", value=2000000000), "maximum allowed value"),
    "reserved": (thing("scheduling.k8s.io/v1", "PriorityClass", "system-mine", value=1), "reserved for system use only"),
}  # fmt: skip


@pytest.mark.parametrize("obj", [pytest.param(o, id=n) for n, o in RIGHT.items()])
def test_what_an_api_server_accepts(obj: dict[str, Any]) -> None:
    assert told(yaml.safe_load(yaml.safe_dump(obj))) == []


@pytest.mark.parametrize(
    ("obj", "words"), [pytest.param(o, w, id=n) for n, (o, w) in WRONG.items()]
)
def test_what_an_api_server_refuses(obj: dict[str, Any], words: str) -> None:
    found = told(yaml.safe_load(yaml.safe_dump(obj)))
    assert any(words in one for one in found), found


def test_a_binding_keeps_its_role() -> None:
    before = binding(kind="User", name="ann")
    other = binding(kind="User", name="ann", ref={"kind": "ClusterRole", "name": "edit"})
    without_group = binding(kind="User", name="bob", ref={"kind": "ClusterRole", "name": "view"})
    assert [p.message for p in rules.changes(before, other)] != []
    assert list(rules.changes(before, without_group)) == []
