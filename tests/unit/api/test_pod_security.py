"""The Pod Security Standards: what each level refuses, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.api import pod_security

RESTRICTED: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "persistentVolumeClaim": {}}],
}


def found(level: str, context: dict[str, Any] | None = None, **spec: Any) -> list[str]:
    container = {"name": "a", "securityContext": context or {}}
    return pod_security.violations({"containers": [container], **spec}, level)


def test_a_pod_of_the_usual_kind_is_of_the_baseline() -> None:
    assert found("baseline", {"capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"]}}) == []


def test_a_restricted_pod_is_of_every_level() -> None:
    for level in pod_security.LEVELS:
        assert pod_security.violations(RESTRICTED, level) == []


def test_the_privileged_level_allows_everything() -> None:
    assert found("privileged", {"privileged": True}, hostPID=True) == []


@pytest.mark.parametrize(
    ("context", "spec", "told"),
    [
        ({"privileged": True}, {}, 'privileged (container "a" must not set securityContext.privileged=true)'),
        ({}, {"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        (
            {"capabilities": {"add": ["SYS_TIME", "CHOWN"]}}, {},
            'non-default capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add)',
        ),
        ({}, {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"procMount": "Unmasked"}, {},
            'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            {"seccompProfile": {"type": "Unconfined"}}, {},
            'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            {}, {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net/ipv4/tcp_syncookies"}]}},
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            {}, {"initContainers": [{"name": "i", "ports": [{"containerPort": 1, "hostPort": 80}]}]},
            'hostPort (container "i" uses hostPort 80)',
        ),
        (
            {}, {"ephemeralContainers": [{"name": "e", "securityContext": {"privileged": True}}]},
            'privileged (container "e" must not set securityContext.privileged=true)',
        ),
    ],
)  # fmt: skip
def test_the_baseline_refuses(context: dict[str, Any], spec: dict[str, Any], told: str) -> None:
    assert found("baseline", context, **spec) == [told]


def test_the_restricted_level_refuses_a_plain_pod_as_kubernetes_says_it() -> None:
    labels = {pod_security.ENFORCE: "restricted"}
    plain = {"containers": [{"name": "nginx"}]}
    assert pod_security.refusal(plain, labels, "privileged") == (
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "nginx" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "nginx" must set '
        'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "nginx" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "nginx" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'volume "v" uses restricted volume type "hostPath"'),
        ({"securityContext": {**RESTRICTED["securityContext"], "runAsUser": 0}}, "pod must not set runAsUser=0"),
        (
            {"securityContext": {**RESTRICTED["securityContext"], "runAsNonRoot": False}},
            "pod must not set securityContext.runAsNonRoot=false",
        ),
        (
            {"initContainers": [{"name": "i"}]},
            'container "i" must set securityContext.allowPrivilegeEscalation=false',
        ),
    ],
)  # fmt: skip
def test_the_restricted_level_refuses(changes: dict[str, Any], told: str) -> None:
    assert told in ", ".join(pod_security.violations({**RESTRICTED, **changes}, "restricted"))


def test_a_namespace_says_its_level_and_others_have_the_default() -> None:
    privileged = {"containers": [{"name": "a", "securityContext": {"privileged": True}}]}
    assert pod_security.refusal(privileged, {}, "privileged") == ""
    assert pod_security.refusal(privileged, {}, "baseline")
    assert pod_security.refusal(privileged, {pod_security.ENFORCE: "privileged"}, "baseline") == ""
    versioned = {pod_security.ENFORCE: "baseline", pod_security.ENFORCE_VERSION: "v1.30"}
    assert '"baseline:v1.30"' in pod_security.refusal(privileged, versioned, "privileged")
    assert pod_security.refusal(privileged, {pod_security.ENFORCE: "none such"}, "privileged")
