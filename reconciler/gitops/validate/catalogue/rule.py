"""One rule: its id, how bad breaking it is, what it asks for, and a manifest that breaks it."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """What the catalogue says of a rule.

    ``severity`` is what a finding has where nobody says otherwise: error, warning, info, or off for a rule that must be
    asked for. ``example`` is a manifest that breaks it; empty where no manifest alone can.
    """

    id: str
    severity: str
    title: str
    text: str
    example: str = ""

    @property
    def group(self) -> str:
        """The part of the id before the slash: schema, rule, reference and the like."""
        return self.id.partition("/")[0]

    @property
    def anchor(self) -> str:
        """The rule's heading on the page of rules."""
        return self.id.replace("/", "")


def pod(*spec: str, container: str = "", meta: str = "name: web") -> str:
    """Return a Pod with lines added to its spec and to its container: for examples."""
    return _object("v1", "Pod", meta, *_containers(container), *spec)


def _containers(container: str) -> tuple[str, ...]:
    lines = ["containers:", "  - name: web", "    image: nginx:1.27"]
    return (*lines, *(f"    {line}" for line in container.splitlines()))


def deployment(
    *spec: str, labels: str = "app: web", container: str = "", template: str = ""
) -> str:
    """Return a Deployment with lines added to its spec and to its template's: for examples."""
    return workload(
        "apps/v1", "Deployment", *spec, labels=labels, container=container, template=template
    )


def workload(
    version: str,
    kind: str,
    *spec: str,
    labels: str = "app: web",
    container: str = "",
    template: str = "",
) -> str:
    """Return anything with a selector and a template."""
    inner = [*_containers(container), *template.splitlines()]
    return _object(
        version, kind, "name: web", "selector: {matchLabels: {app: web}}", *spec, "template:",
        f"  metadata: {{labels: {{{labels}}}}}", "  spec:", *(f"    {line}" for line in inner),
    )  # fmt: skip


def job(*spec: str, template: str = "restartPolicy: Never", meta: str = "name: report") -> str:
    """Return a Job."""
    inner = [*_containers(""), *template.splitlines()]
    return _object(
        "batch/v1", "Job", meta, *spec, "template:", "  spec:", *(f"    {line}" for line in inner)
    )


def service(*spec: str, ports: str = "[{port: 80}]") -> str:
    """Return a Service."""
    return _object("v1", "Service", "name: web", "selector: {app: web}", f"ports: {ports}", *spec)


def ingress(
    path: str = "/",
    backend: str = "{service: {name: web, port: {number: 80}}}",
    *spec: str,
    host: str = "a.example.com",
) -> str:
    """Return an Ingress of one rule."""
    rule = f'rules: [{{host: "{host}", http: {{paths: [{{path: {path}, pathType: Prefix, backend: {backend}}}]}}}}]'
    return _object("networking.k8s.io/v1", "Ingress", "name: web", rule, *spec)


def spec_of(version: str, kind: str, *spec: str, meta: str = "name: web") -> str:
    """Return an object with a spec of those lines."""
    return _object(version, kind, meta, *spec)


def flat(version: str, kind: str, *lines: str, meta: str = "name: web") -> str:
    """Return an object without a spec."""
    return "\n".join(
        [f"apiVersion: {version}", f"kind: {kind}", f"metadata: {{{meta}}}", *lines, ""]
    )


def _object(version: str, kind: str, meta: str, *spec: str) -> str:
    return flat(version, kind, "spec:", *(f"  {line}" for line in spec), meta=meta)
