"""What an API server refuses of Jobs, Services, Pods and others, beyond the rules that a real one was probed for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from reconciler.api import rules, schemas
from reconciler.api.objects import GroupVersionKind


def told(version: str, kind: str, body: str) -> list[str]:
    """Return what the rules say of an object that its schema accepts."""
    read = yaml.safe_load(body.replace(": None", ": 'None'"))
    obj: dict[str, Any] = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}} | read
    validator = schemas.validator(GroupVersionKind.of(obj))
    assert validator is not None
    assert validator.errors(obj) == []
    return [f"{p.field}: {p.message}" for p in rules.problems(obj)]


def job(spec: str) -> list[str]:
    pod = "{restartPolicy: Never, containers: [{name: c, image: x}]}"
    return told("batch/v1", "Job", f"spec: {{{spec}, template: {{spec: {pod}}}}}")


INDEXED = "completions: 3, completionMode: Indexed"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("{succeededIndexes: '0-5'}", 'rules[0].succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too large index: "5"'),
        ("{succeededIndexes: '2,1'}", "non-increasing order, previous: 2, current: 1"),
        ("{succeededIndexes: '1-0'}", "non-increasing order, previous: 1, current: 0"),
        ("{succeededIndexes: 'a'}", 'cannot convert string to integer for index: "a"'),
        ("{succeededIndexes: '0-1-2'}", "at most two parts separated by '-'"),
        ("{succeededCount: 4}", "must be less than or equal to 3 (the number of specified completions)"),
        ("{succeededIndexes: '0,2', succeededCount: 3}", "must be less than or equal to 2 (the number of indexes"),
        ("{}", "rules[0]: Required value: at least one of succeededCount or succeededIndexes"),
    ],
)  # fmt: skip
def test_a_success_policy_names_indexes_that_there_are(policy: str, message: str) -> None:
    found = job(f"{INDEXED}, successPolicy: {{rules: [{policy}]}}")
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith("spec.successPolicy.")


def test_success_policies_that_are_right_are_accepted() -> None:
    assert job(f"{INDEXED}, successPolicy: {{rules: [{{succeededIndexes: '0-1,2', succeededCount: 2}}]}}") == []  # fmt: skip
    assert job(f"{INDEXED}, successPolicy: {{rules: [{{succeededIndexes: ''}}]}}") == []
    assert job(f"{INDEXED}, successPolicy: {{rules: []}}")[0].startswith(
        "spec.successPolicy.rules: Required value"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"{INDEXED}, backoffLimitPerIndex: 1, maxFailedIndexes: 4", "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"),
        ("completions: 200000, completionMode: Indexed, backoffLimitPerIndex: 1", "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"),
        ("managedBy: me", 'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'),
        ("podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [3, 2]}}]}", "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,2]: must be ordered"),
        ("podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [2, 2]}}]}", "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 2"),
        ("podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: a b}]}]}", 'spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "a b"'),
    ],
)  # fmt: skip
def test_the_numbers_and_policies_of_a_job(spec: str, message: str) -> None:
    found = job(spec)
    assert len(found) == 1
    assert found[0].startswith(message)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("type: ExternalName, externalName: a.b, ipFamilies: [IPv4]", "spec.ipFamilies: Forbidden: may not be set for ExternalName services"),
        ("type: ExternalName, externalName: a.b, ipFamilyPolicy: SingleStack", "spec.ipFamilyPolicy: Forbidden"),
        ("clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2], ports: [{port: 80}]", 'spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`'),
        ("clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 10.0.0.2], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]", 'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family'),
        ("clusterIP: None, clusterIPs: [None, 10.0.0.2], ports: [{port: 80}]", "spec.clusterIPs: Invalid value: [\"None\",\"10.0.0.2\"]: 'None' must be the first and only value"),
        ("clusterIP: 10.0.0.1, ipFamilies: [IPv6], ports: [{port: 80}]", 'spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`'),
        ("ipFamilies: [IPv4, IPv6], ports: [{port: 80}]", 'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be RequireDualStack or PreferDualStack when multiple IP families are specified'),
        ("allocateLoadBalancerNodePorts: false, ports: [{port: 80}]", "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"),
        ("type: LoadBalancer, healthCheckNodePort: 30000, ports: [{port: 80}]", "spec.healthCheckNodePort: Invalid value: 30000: may only be set when"),
        ("type: LoadBalancer, ports: [{port: 10250}]", "spec.ports[0].port: Invalid value: 10250: may not expose port 10250"),
        ("trafficDistribution: Near, ports: [{port: 80}]", 'spec.trafficDistribution: Unsupported value: "Near"'),
        ("type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30000, ports: [{port: 80}]", ""),
        ("clusterIP: None, clusterIPs: [None], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]", ""),
        ("clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1'], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]", ""),
    ],
)  # fmt: skip
def test_a_services_addresses_and_traffic(spec: str, message: str) -> None:
    found = told("v1", "Service", f"spec: {{{spec}}}")
    assert len(found) == bool(message)
    assert not message or found[0].startswith(message)


@pytest.mark.parametrize(
    ("container", "spec", "message"),
    [
        ("", "os: {name: bsd}", 'spec.os.name: Unsupported value: "bsd"'),
        ("", "os: {name: linux}, securityContext: {windowsOptions: {runAsUserName: a}}", "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"),
        ("", "hostNetwork: true, securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}", "spec.securityContext.sysctls[0].name: Invalid value: \"net.core.somaxconn\": may not be specified when 'hostNetwork' is true"),
        ("", "topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [a]}]", "spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden"),
        ("", "resourceClaims: [{name: gpu}]", 'spec.resourceClaims[0]: Invalid value: {"name":"gpu"}: must specify one of'),
        ("resources: {claims: [{name: gpu}]}", "nodeName: a", 'spec.containers[0].resources.claims[0].name: Not found: "gpu"'),
        ("resizePolicy: [{resourceName: disk, restartPolicy: NotRequired}]", "nodeName: a", 'spec.containers[0].resizePolicy[0].resourceName: Unsupported value: "disk"'),
        ("resizePolicy: [{resourceName: cpu, restartPolicy: Never}]", "nodeName: a", 'spec.containers[0].resizePolicy[0].restartPolicy: Unsupported value: "Never"'),
        ("restartPolicy: Sometimes", "nodeName: a", 'spec.containers[0].restartPolicy: Unsupported value: "Sometimes"'),
        ("volumeMounts: [{name: v, mountPath: /a, recursiveReadOnly: Enabled}]", "volumes: [{name: v, emptyDir: {}}]", "spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: may only be specified when readOnly is true"),
        ("resources: {limits: {hugepages-2Mi: 3Mi, cpu: 1}}", "nodeName: a", 'spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi'),
        ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]", "nodeName: a", "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1"),
        ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}]", "nodeName: a", ""),
        ("resources: {limits: {hugepages-2Mi: 4Mi, cpu: 1}, requests: {hugepages-2Mi: 4Mi}}", "nodeName: a", ""),
        ("resources: {claims: [{name: gpu}]}", "resourceClaims: [{name: gpu, resourceClaimName: a}]", ""),
    ],
)  # fmt: skip
def test_what_pods_may_not_say(container: str, spec: str, message: str) -> None:
    inside = f", {container}" if container else ""
    found = told("v1", "Pod", f"spec: {{containers: [{{name: c, image: x{inside}}}], {spec}}}")
    assert len(found) == bool(message)
    assert not message or found[0].startswith(message)


DEPLOYED = "{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}"


@pytest.mark.parametrize(
    ("version", "kind", "body", "message"),
    [
        ("apps/v1", "Deployment", f"spec: {{minReadySeconds: 600, selector: {{matchLabels: {{a: b}}}}, template: {DEPLOYED}}}", "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"),
        ("apps/v1", "StatefulSet", f"spec: {{persistentVolumeClaimRetentionPolicy: {{whenDeleted: Keep}}, selector: {{matchLabels: {{a: b}}}}, template: {DEPLOYED}}}", 'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep"'),
        ("storage.k8s.io/v1", "StorageClass", "{provisioner: a/b, allowedTopologies: [{matchLabelExpressions: [{key: a, values: []}]}]}", "allowedTopologies[0].matchLabelExpressions[0].values: Required value"),
        ("networking.k8s.io/v1", "IngressClass", "spec: {controller: nginx}", 'spec.controller: Invalid value: "nginx": must be a domain-prefixed path'),
        ("networking.k8s.io/v1", "IngressClass", "spec: {controller: k8s.io/ingress-nginx, parameters: {kind: A, name: b, scope: Namespace}}", "spec.parameters.namespace: Required value"),
        ("networking.k8s.io/v1", "IngressClass", "spec: {controller: k8s.io/ingress-nginx}", ""),
        ("v1", "ResourceQuota", "spec: {hard: {pods: 1}, scopes: [Short]}", 'spec.scopes: Invalid value: ["Short"]: unsupported scope'),
        ("v1", "ResourceQuota", "spec: {hard: {configmaps: 1}, scopes: [BestEffort]}", 'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'),
        ("v1", "ResourceQuota", "spec: {hard: {pods: 1}, scopes: [BestEffort, NotBestEffort]}", 'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'),
        ("v1", "ResourceQuota", "spec: {hard: {pods: 1, limits.cpu: 1}, scopes: [NotTerminating]}", ""),
        ("v1", "LimitRange", "spec: {limits: [{type: container, min: {cpu: 1}}]}", 'spec.limits[0].type: Invalid value: "container": must be a standard limit type'),
        ("coordination.k8s.io/v1", "Lease", "spec: {leaseDurationSeconds: 0}", "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        ("v1", "Endpoints", "subsets: [{ports: [{port: 80}]}]", "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        ("v1", "Endpoints", "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80, name: a}, {port: 81}]}]", "subsets[0].ports[1].name: Required value"),
    ],
)  # fmt: skip
def test_what_other_kinds_may_not_say(version: str, kind: str, body: str, message: str) -> None:
    found = told(version, kind, body)
    assert len(found) == bool(message)
    assert not message or found[0].startswith(message)


def test_all_of_a_selector_that_its_template_does_not_keep_to_is_told() -> None:
    body = (
        "spec: {selector: {matchLabels: {a: b}, matchExpressions: [{key: t, operator: NotIn, values: [x]}]}, "
        "template: {metadata: {labels: {a: b, t: x}}, spec: {containers: [{name: c, image: x}]}}}"
    )
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    (problem,) = rules.problems(obj | yaml.safe_load(body))
    assert problem.hint == "the selector asks for a: b, t NotIn (x)"
