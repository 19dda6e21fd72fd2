"""Rules of Services and Ingresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names
from reconciler.api.rules.problem import Path, Problem, duplicate, invalid, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_NODE_PORTS = range(30_000, 32_768)


def service(obj: Object) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    ports = spec.get("ports") or []
    if kind == "ExternalName":
        name = spec.get("externalName", "")
        if not name:
            yield required(("spec", "externalName"))
        return
    if not ports and spec.get("clusterIP") != "None":
        yield required(("spec", "ports"))
    if kind != "ClusterIP" and spec.get("clusterIP") == "None":
        yield invalid(
            ("spec", "clusterIPs", 0), "None",
            f"may not be set to 'None' for {kind} services",
        )  # fmt: skip
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        yield from _service_port(port, ("spec", "ports", index), seen_names, seen_ports, len(ports))


def _service_port(
    port: dict[str, Any],
    path: Path,
    seen_names: set[str],
    seen_ports: set[tuple[Any, Any]],
    count: int,
) -> Iterator[Problem]:
    number, name = port.get("port"), port.get("name") or ""
    if not isinstance(number, int) or not 0 < number < 65536:
        yield invalid((*path, "port"), number, "must be between 1 and 65535, inclusive")
    if not name and count > 1:
        yield required((*path, "name"))
    if name and (problem := names.label_problem(name)):
        yield invalid((*path, "name"), name, problem)
    if name and name in seen_names:
        yield duplicate((*path, "name"), name)
    seen_names.add(name)
    both = (number, port.get("protocol", "TCP"))
    if both in seen_ports:
        yield duplicate(path, {"port": number, "protocol": both[1]})
    seen_ports.add(both)
    target = port.get("targetPort")
    if isinstance(target, int) and not 0 < target < 65536:
        yield invalid((*path, "targetPort"), target, "must be between 1 and 65535, inclusive")
    node = port.get("nodePort")
    if node and node not in _NODE_PORTS:
        yield invalid(
            (*path, "nodePort"), node, "provided port is not in the valid range. The range of valid ports is 30000-32767"
        )  # fmt: skip


def ingress(obj: Object) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    rules = spec.get("rules") or []
    if not rules and not spec.get("defaultBackend"):
        yield required(("spec",), "either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        yield from _backend(spec["defaultBackend"], ("spec", "defaultBackend"))
    for index, rule in enumerate(rules):
        path: Path = ("spec", "rules", index)
        host = rule.get("host", "")
        bare = host.removeprefix("*.")
        if host and (problem := names.subdomain_problem(bare)):
            yield invalid((*path, "host"), host, problem)
        http = rule.get("http")
        if http is None:
            continue
        if not http.get("paths"):
            yield required((*path, "http", "paths"))
        for number, entry in enumerate(http.get("paths") or ()):
            yield from _path(entry, (*path, "http", "paths", number))


def _path(entry: dict[str, Any], path: Path) -> Iterator[Problem]:
    kind = entry.get("pathType")
    if not kind:
        yield required((*path, "pathType"), "pathType must be specified")
    text = entry.get("path", "")
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield invalid((*path, "path"), text, "must be an absolute path")
        for bad in ("//", "/./", "/../", "%2f", "%2F"):
            if bad in text:
                yield invalid((*path, "path"), text, f"must not contain '{bad}'")
    elif text and not text.startswith("/"):
        yield invalid((*path, "path"), text, "must be an absolute path")
    yield from _backend(entry.get("backend") or {}, (*path, "backend"))


def _backend(backend: dict[str, Any], path: Path) -> Iterator[Problem]:
    target = backend.get("service")
    if target is None and not backend.get("resource"):
        yield required(path, "cannot be empty")
    elif target is not None:
        port = target.get("port") or {}
        if not target.get("name"):
            yield required((*path, "service", "name"))
        if not port.get("name") and not port.get("number"):
            yield required((*path, "service", "port"), "port name or number is required")
        if port.get("name") and port.get("number"):
            yield invalid(
                (*path, "service", "port"), port, "cannot set both port name & port number"
            )
