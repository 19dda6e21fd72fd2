"""The Pod fields that the process runtime honours; a path stands for everything below it.

``path=value`` is one of a field's values: others are not honoured.
"""

from __future__ import annotations

#: A profile of the user's own (Localhost) is not loaded: a container that asks for one does not start.
_SECCOMP = tuple(
    f"securityContext.seccompProfile.{field}"
    for field in ("type=RuntimeDefault", "type=Unconfined", "localhostProfile")
)
_CONTAINER = (
    "name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports",
    "volumeMounts", "lifecycle", "restartPolicy", "restartPolicyRules",
    "resources.requests", "resources.limits.cpu", "resources.limits.memory", "terminationMessagePath", "terminationMessagePolicy",
    "securityContext.runAsUser", "securityContext.runAsGroup", "securityContext.runAsNonRoot",
    "securityContext.allowPrivilegeEscalation", "securityContext.capabilities", "securityContext.privileged",
    "securityContext.readOnlyRootFilesystem", "securityContext.procMount",
    *_SECCOMP,
)  # fmt: skip
_PROBE = (
    "exec", "httpGet", "tcpSocket", "grpc", "initialDelaySeconds", "periodSeconds", "timeoutSeconds",
    "successThreshold", "failureThreshold", "terminationGracePeriodSeconds",
)  # fmt: skip
_PROBES = tuple(
    f"{probe}.{field}"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    for field in _PROBE
)
_VOLUMES = tuple(
    f"volumes.{field}"
    for field in (
        "name", "configMap", "secret", "downwardAPI", "hostPath", "persistentVolumeClaim", "emptyDir",
        "projected.defaultMode", "projected.sources.configMap", "projected.sources.secret",
        "projected.sources.downwardAPI", "projected.sources.serviceAccountToken",
    )
)  # fmt: skip
_POD = (
    *_VOLUMES, "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "hostAliases",
    "dnsConfig", "dnsPolicy", "hostname", "subdomain", "hostNetwork", "hostPID", "hostIPC", "hostUsers",
    "shareProcessNamespace", "nodeName", "nodeSelector",
    "affinity", "tolerations", "topologySpreadConstraints", "schedulerName", "priority", "priorityClassName",
    "enableServiceLinks", "serviceAccountName", "serviceAccount", "automountServiceAccountToken=false",
    "imagePullSecrets", "readinessGates", "setHostnameAsFQDN", "securityContext.runAsUser",
    "securityContext.runAsGroup", "securityContext.supplementalGroups", "securityContext.runAsNonRoot",
    "securityContext.supplementalGroupsPolicy", "securityContext.fsGroup", "securityContext.fsGroupChangePolicy",
    *_SECCOMP,
)  # fmt: skip

HONOURED = frozenset(
    [f"spec.{field}" for field in _POD]
    + [
        f"spec.{kind}.{field}"
        for kind in ("containers", "initContainers")
        for field in (*_CONTAINER, *_PROBES)
    ]
)

#: What is not honoured where the daemon is an ordinary user's: a user namespace has no groups to give.
NEEDS_ROOT = frozenset(
    f"spec.securityContext.{field}" for field in ("supplementalGroups", "supplementalGroupsPolicy")
)

#: What is not honoured where no control group can be made: nothing else divides CPU time.
NEEDS_CONTROL_GROUPS = frozenset(
    f"spec.{kind}.resources.limits.cpu" for kind in ("containers", "initContainers")
)

#: What is not honoured either where ordinary users may make no namespaces.
NEEDS_NAMESPACES = frozenset(
    [f"spec.{field}" for field in (
        "hostAliases", "dnsConfig", "dnsPolicy", "hostname", "subdomain", "setHostnameAsFQDN",
        "shareProcessNamespace", "hostUsers", *_VOLUMES,
    )]
    + [
        f"spec.{kind}.{field}"
        for kind in ("containers", "initContainers")
        for field in (
            "volumeMounts", "terminationMessagePath", "securityContext.privileged", "securityContext.readOnlyRootFilesystem",
            "securityContext.procMount",
        )
    ]
)  # fmt: skip
