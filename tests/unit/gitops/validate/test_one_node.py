"""What one node cannot give is said before anything runs."""

from __future__ import annotations

import pytest

from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate
from reconciler.runtime.process.fields import HONOURED

HOST_PORT = "{containerPort: 80, hostPort: 8080}"


def found(text: str, honoured: frozenset[str] = HONOURED) -> list[tuple[str, str, str, int]]:
    rendered = render(Snapshot("", {"a.yaml": File("a.yaml", text, text.encode())}))
    return [
        (f.rule, f.severity, f.message, f.line)
        for f in validate(rendered.documents, honoured=honoured)
        if f.rule.startswith("runtime/")
    ]


def workload(
    spec: str = "replicas: 1", port: str = HOST_PORT, pod: str = "", kind: str = "Deployment"
) -> str:
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web}}
spec:
  {spec}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      {pod}
      containers:
        - name: web
          image: nginx:1.27
          ports:
            - {port}
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (workload(), "a rollout never ends: the new Pod waits for port 8080"),
        (
            workload("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}"),
            "rolls with downtime: the new Pod waits for port 8080",
        ),
        (workload("replicas: 3"), "3 Pods want port 8080 of one host"),
        (workload("replicas: 2", kind="ReplicaSet"), "2 Pods want port 8080 of one host"),
        (workload("", kind="DaemonSet"), "rolls with downtime: the new Pod waits for port 8080"),
        (
            workload(port="{containerPort: 9000}", pod="hostNetwork: true"),
            "a rollout never ends: the new Pod waits for port 9000",
        ),
    ],
)
def test_how_a_workload_with_a_port_of_the_host_rolls(text: str, told: str) -> None:
    ((rule, severity, message, line),) = found(text)
    assert (rule, severity) == ("runtime/host-port", "warning")
    assert message.startswith(told)
    assert text.splitlines()[line - 1].strip().startswith("- {containerPort")


@pytest.mark.parametrize(
    "text",
    [
        workload(port="{containerPort: 80}"),
        workload("strategy: {type: Recreate}"),
        # On the host's network without a declared port: two Pods may share one by SO_REUSEPORT.
        workload("replicas: 2", port="{name: http, containerPort: 80}"),
        workload("replicas: 0"),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(text: str) -> None:
    assert not found(text)


def test_a_cluster_with_more_nodes_is_not_spoken_of() -> None:
    assert not found(workload(), frozenset({"spec"}))


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports:
    - {port}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {{{annotation}}}
spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""


@pytest.mark.parametrize(
    ("text", "severity", "told"),
    [
        (SERVICE.format(port="{port: 80, protocol: SCTP}"), "warning", "SCTP is not balanced"),
        (
            SERVICE.format(port="{port: 80, appProtocol: kubernetes.io/h2c}"),
            "info",
            "HTTP/2 and gRPC work through it; an Ingress speaks HTTP/1.1",
        ),
        (
            INGRESS.format(annotation="nginx.ingress.kubernetes.io/backend-protocol: GRPC"),
            "warning",
            "not GRPC",
        ),
    ],
)
def test_what_is_not_served_is_told(text: str, severity: str, told: str) -> None:
    ((rule, level, message, _),) = found(text)
    assert (rule, level) == ("runtime/not-served", severity)
    assert told in message


def test_what_the_process_runtime_cannot_do_for_a_container_is_said() -> None:
    text = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - name: c
      image: a:1
      command: [sleep]
      terminationMessagePolicy: FallbackToLogsOnError
      stdin: true
      livenessProbe: {grpc: {port: 80}, periodSeconds: 3}
      readinessProbe: {httpGet: {port: 80, path: /x}, initialDelaySeconds: 3}
"""
    told = [(f[0], f[3]) for f in found(text) if f[0] == "runtime/not-honoured"]
    assert told == [("runtime/not-honoured", 10)]


POD_WITH = """\
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  {field}
  containers: [{{name: c, image: "a:1", command: [sleep]}}]
"""


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("automountServiceAccountToken: false", ""),
        (
            "automountServiceAccountToken: true",
            "spec.automountServiceAccountToken: true is not honoured by this runtime, only false",
        ),
        ("securityContext: {seccompProfile: {type: RuntimeDefault}}", ""),
        ("securityContext: {seccompProfile: {type: Unconfined}}", ""),
        (
            "securityContext: {seccompProfile: {type: Localhost, localhostProfile: a.json}}",
            "seccompProfile.type: Localhost is not honoured by this runtime, only RuntimeDefault or Unconfined",
        ),
    ],
)
def test_a_value_that_has_no_effect_is_told_though_others_of_its_field_have_one(
    field: str, told: str
) -> None:
    found_here = [m for _, _, m, line in found(POD_WITH.format(field=field)) if line == 5]
    assert [told in message for message in found_here] == [True] * bool(told)
