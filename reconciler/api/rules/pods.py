"""Rules of a Pod's spec."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.api import names, quantities
from reconciler.api.rules.problem import (
    Path,
    Problem,
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.api.objects import Object

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def pod(obj: Object) -> Iterator[Problem]:
    yield from pod_spec(obj.get("spec") or {}, ("spec",))


def pod_spec(spec: dict[str, Any], path: Path, *, claims: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield what is wrong with a Pod spec at ``path``. ``claims`` are volumes that its owner adds."""
    volumes = spec.get("volumes") or []
    known: set[str] = set()
    for index, volume in enumerate(volumes):
        yield from _volume(volume, (*path, "volumes", index), known)
    known.update(claims)
    if not spec.get("containers"):
        yield required((*path, "containers"))
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = (*path, field, index)
            yield from _container(container, here, known, init=field == "initContainers")
            if container.get("name") in seen:
                yield duplicate((*here, "name"), container["name"])
            seen.add(container.get("name", ""))
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        yield invalid(
            (*path, "terminationGracePeriodSeconds"), grace, "must be greater than or equal to 0"
        )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        yield invalid(
            (*path, "activeDeadlineSeconds"),
            deadline,
            "must be between 1 and 2147483647, inclusive",
        )


def _volume(volume: dict[str, Any], path: Path, known: set[str]) -> Iterator[Problem]:
    name = volume.get("name", "")
    problem = names.label_problem(name)
    if problem:
        yield invalid((*path, "name"), name, problem)
    if name in known:
        yield duplicate((*path, "name"), name)
    known.add(name)
    sources = [k for k in volume if k != "name"]
    for extra in sources[1:]:
        yield forbidden((*path, extra), "may not specify more than 1 volume type")


def _container(
    container: dict[str, Any], path: Path, volumes: set[str], *, init: bool
) -> Iterator[Problem]:
    name = container.get("name", "")
    problem = names.label_problem(name) if name else ""
    if problem:
        yield invalid((*path, "name"), name, problem)
    if not name:
        yield required((*path, "name"))
    if not container.get("image"):
        yield required((*path, "image"))
    yield from _environment(container, path)
    yield from _ports(container, path)
    yield from _mounts(container, path, volumes)
    yield from _resources(container.get("resources") or {}, (*path, "resources"))
    sidecar = container.get("restartPolicy") == "Always"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            if init and not sidecar:
                yield forbidden(
                    (*path, probe),
                    "may not be set for init containers without restartPolicy=Always",
                )
            else:
                yield from _probe(container[probe], probe, (*path, probe))
    if init and not sidecar and container.get("lifecycle"):
        yield forbidden(
            (*path, "lifecycle"), "may not be set for init containers without restartPolicy=Always"
        )


def _environment(container: dict[str, Any], path: Path) -> Iterator[Problem]:
    for index, variable in enumerate(container.get("env") or ()):
        here = (*path, "env", index)
        name = variable.get("name", "")
        if not name:
            yield required((*here, "name"))
        elif not _ENV_NAME.match(name):
            yield invalid(
                (*here, "name"), name,
                "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
                "and must not start with a digit",
            )  # fmt: skip
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            yield invalid(
                (*here, "valueFrom"), "", "may not be specified when `value` is not empty"
            )
        if not source:
            yield invalid(
                (*here, "valueFrom"), "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )  # fmt: skip
        elif len(source) > 1:
            yield invalid(
                (*here, "valueFrom"), "", "may not have more than one field specified at a time"
            )


def _ports(container: dict[str, Any], path: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        here = (*path, "ports", index)
        number = port.get("containerPort")
        if not isinstance(number, int) or not 0 < number < 65536:
            yield invalid(
                (*here, "containerPort"), number, "must be between 1 and 65535, inclusive"
            )
        name = port.get("name")
        if not name:
            continue
        if (
            len(name) > 15
            or not _PORT_NAME.match(name)
            or not re.search("[a-z]", name)
            or "--" in name
        ):
            yield invalid(
                (*here, "name"), name,
                "must be no more than 15 characters of lower case letters, digits and '-', with at least one letter",
            )  # fmt: skip
        if name in seen:
            yield duplicate((*here, "name"), name)
        seen.add(name)


def _mounts(container: dict[str, Any], path: Path, volumes: set[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = (*path, "volumeMounts", index)
        if mount.get("name") not in volumes:
            yield not_found((*here, "name"), mount.get("name"))
        where = mount.get("mountPath", "")
        if where in seen:
            yield invalid((*here, "mountPath"), where, "must be unique")
        seen.add(where)
        inside = mount.get("subPath", "")
        if inside.startswith("/") or ".." in inside.split("/"):
            yield invalid(
                (*here, "subPath"), inside, "must be a relative path that does not contain '..'"
            )


def _resources(resources: dict[str, Any], path: Path) -> Iterator[Problem]:
    parsed: dict[tuple[str, str], Any] = {}
    for group in ("limits", "requests"):
        for name, value in (resources.get(group) or {}).items():
            here = (*path, group, name)
            try:
                amount = quantities.parse(value)
            except ValueError as error:
                yield invalid(here, value, str(error))
                continue
            parsed[group, name] = amount
            if amount < 0:
                yield invalid(here, value, "must be greater than or equal to 0")
    for (group, name), amount in parsed.items():
        limit = parsed.get(("limits", name))
        if group == "requests" and limit is not None and amount > limit:
            yield invalid(
                (*path, group, name), resources["requests"][name],
                f"must be less than or equal to {name} limit of {resources['limits'][name]}",
            )  # fmt: skip


def _probe(probe: dict[str, Any], kind: str, path: Path) -> Iterator[Problem]:
    handlers = [h for h in _HANDLERS if h in probe]
    if not handlers:
        yield required(path, "must specify a handler type")
    for extra in handlers[1:]:
        yield forbidden((*path, extra), "may not specify more than 1 handler type")
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"):
        value = probe.get(field)
        if isinstance(value, int) and value < 0:
            yield invalid((*path, field), value, "must be greater than or equal to 0")
    if kind != "readinessProbe" and probe.get("successThreshold", 1) not in (0, 1):
        yield invalid((*path, "successThreshold"), probe["successThreshold"], "must be 1")
