"""Rules of Ingresses."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from reconciler.api import names
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_LEGACY_CLASS = "kubernetes.io/ingress.class"
_WILDCARD_WORDS = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    "regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def ingress(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with an Ingress."""
    spec = below(obj, "spec")
    if not spec.get("rules") and not spec.get("defaultBackend"):
        told = "either `defaultBackend` or `rules` must be specified"
        yield invalid("ingress-rules", ("spec",), [], told)
    if backend := spec.get("defaultBackend"):
        yield from _backend(backend, ("spec", "defaultBackend"))
    for path, rule in each(spec, "rules", ("spec",)):
        if host := rule.get("host"):
            yield from _host(host, (*path, "host"))
        if (http := rule.get("http")) is not None:
            if not http.get("paths"):
                yield required("ingress-rules", (*path, "http", "paths"))
            for here, entry in each(http, "paths", (*path, "http")):
                yield from _path(entry, here)
    for path, one in each(spec, "tls", ("spec",)):
        for index, host in enumerate(one.get("hosts") or ()):
            yield from _host(host or "", (*path, "hosts", index))
        secret = one.get("secretName")
        if secret and (wrong := names.subdomain_problem(secret)):
            yield invalid("ingress-tls", (*path, "secretName"), secret, wrong)
    name = spec.get("ingressClassName")
    if name is not None and (wrong := names.subdomain_problem(name)):
        yield invalid("ingress-class", ("spec", "ingressClassName"), name, wrong)


def legacy_class(obj: Object) -> Iterator[Problem]:
    """Yield where a new Ingress names one class in its spec and another in the annotation that was before it."""
    name = below(obj, "spec").get("ingressClassName")
    given = (below(obj, "metadata").get("annotations") or {}).get(_LEGACY_CLASS)
    if name is not None and given is not None and name != given:
        told = "must match `ingressClassName` when both are specified"
        path = ("metadata", "annotations", _LEGACY_CLASS)
        yield invalid("ingress-class", path, given, told, named=f"annotations.{_LEGACY_CLASS}")


def ingress_class(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with an IngressClass."""
    spec = below(obj, "spec")
    controller = spec.get("controller") or ""
    if not controller:
        yield required("ingress-class", ("spec", "controller"))
    elif wrong := names.domain_path_problem(controller):
        yield invalid("ingress-class", ("spec", "controller"), controller, wrong)
    given = spec.get("parameters")
    if not isinstance(given, dict):
        return
    scope, namespace, here = given.get("scope"), given.get("namespace"), ("spec", "parameters")
    if scope not in (None, "", "Cluster", "Namespace"):
        yield unsupported("ingress-class", (*here, "scope"), scope, ["Cluster", "Namespace"])
    elif scope == "Namespace" and not namespace:
        told = "`parameters.scope` is set to 'Namespace'"
        yield required("ingress-class", (*here, "namespace"), told)
    elif scope != "Namespace" and namespace:
        told = "`parameters.scope` is set to 'Cluster'"
        yield forbidden("ingress-class", (*here, "namespace"), told)


def _host(host: str, path: Path) -> Iterator[Problem]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        yield invalid("ingress-host", path, host, "must be a DNS name, not an IP address")
        return
    if "*" in host:
        if not host.startswith("*.") or names.subdomain_problem(host[2:]):
            yield invalid("ingress-host", path, host, _WILDCARD_WORDS)
    elif wrong := names.subdomain_problem(host):
        yield invalid("ingress-host", path, host, wrong)


def _path(entry: Part, path: Path) -> Iterator[Problem]:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if not kind:
        yield required("ingress-path", (*path, "pathType"), "pathType must be specified")
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield invalid("ingress-path", (*path, "path"), text, "must be an absolute path")
        for bad in ("//", "/./", "/../", "%2f", "%2F"):
            if bad in text:
                yield invalid("ingress-path", (*path, "path"), text, f"must not contain '{bad}'")
        for bad in ("/..", "/."):
            if text.endswith(bad):
                yield invalid("ingress-path", (*path, "path"), text, f"cannot end with '{bad}'")
    elif text and not text.startswith("/"):
        yield invalid("ingress-path", (*path, "path"), text, "must be an absolute path")
    yield from _backend(below(entry, "backend"), (*path, "backend"))


def _backend(backend: Part, path: Path) -> Iterator[Problem]:
    target, resource = backend.get("service"), backend.get("resource")
    if target is not None and resource is not None:
        yield invalid("ingress-backend", path, "", "cannot set both resource and service backends")
    elif target is None and resource is None:
        yield invalid("ingress-backend", path, "", "resource or service backend is required")
    elif target is not None:
        yield from _service(target, path)


def _service(target: Part, path: Path) -> Iterator[Problem]:
    name, port = target.get("name") or "", below(target, "port")
    if not name:
        yield required("ingress-backend", (*path, "service", "name"))
    elif wrong := names.label_problem(name):
        yield invalid("ingress-backend", (*path, "service", "name"), name, wrong)
    here = (*path, "service", "port")
    plain = Problem(path, "", "").field
    if not port.get("name") and not port.get("number"):
        yield required("ingress-backend", here, "port name or number is required", named=plain)
    elif port.get("name") and port.get("number"):
        yield invalid(
            "ingress-backend", here, "", "cannot set both port name & port number", named=plain
        )
    elif port.get("name"):
        if wrong := names.port_name_problem(port["name"]):
            yield invalid("ingress-backend", (*here, "name"), port["name"], wrong)
    elif not 0 < port["number"] < 65536:
        told = "must be between 1 and 65535, inclusive"
        yield invalid("ingress-backend", (*here, "number"), port["number"], told)
