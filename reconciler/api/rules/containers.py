"""Rules of one container: name, image, environment, ports, mounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import names, quantities
from reconciler.api.rules.claims import running
from reconciler.api.rules.probes import lifecycle, probe
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    duplicate,
    each,
    forbidden,
    invalid,
    nearest,
    not_found,
    required,
    unsupported,
)
from reconciler.api.rules.resources import resources
from reconciler.api.rules.security import container_security
from reconciler.api.rules.volumes import relative

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENV_NAME = re.compile(r"[ -<>-~]+\Z")
_NO_ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.+)'\]\Z")
_RESOURCE_FIELD = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)\Z")
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS = {"cpu": ("1m", "1"), "memory": _BYTES, "ephemeral-storage": _BYTES, "hugepages": _BYTES}
_INIT_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


class Inside(NamedTuple):
    """What a container's rules need to know of its Pod."""

    volumes: dict[str, str]  # the names of its volumes, and the source of each
    host_network: bool
    user_namespace: bool  # hostUsers: false
    grace: int  # terminationGracePeriodSeconds
    taken: set[tuple[str, str, int]]  # host ports of the containers before this one


def container(one: Part, path: Path, pod: Inside, *, init: bool) -> Iterator[Problem]:
    """Yield what is wrong with a container. Host ports that it takes are added to ``pod.taken``."""
    name, image = one.get("name") or "", one.get("image") or ""
    if not name:
        yield required("container-name", (*path, "name"))
    elif wrong := names.label_problem(name):
        yield invalid("container-name", (*path, "name"), name, wrong)
    if not image:
        yield required("image", (*path, "image"))
    elif image != image.strip():
        yield invalid(
            "image", (*path, "image"), image, "must not have leading or trailing whitespace"
        )
    yield from running(one, path)
    sidecar = one.get("restartPolicy") == "Always"
    if one.get("env"):
        yield from _environment(one, path, pod.volumes)
    if one.get("envFrom"):
        yield from _environment_from(one, path)
    if one.get("ports"):
        yield from _ports(one, path, pod, taken=set() if init and not sidecar else pod.taken)
    for field, among in (("volumeMounts", _mounts), ("volumeDevices", _devices)):
        if one.get(field):
            yield from among(one, path, pod.volumes)
    if held := one.get("resources"):
        yield from resources(held, (*path, "resources"))
    if context := one.get("securityContext"):
        here = (*path, "securityContext")
        yield from container_security(context, here, user_namespace=pod.user_namespace)
    yield from _watching(one, path, pod.grace, allowed=sidecar or not init)


def _watching(one: Part, path: Path, grace: int, *, allowed: bool) -> Iterator[Problem]:
    """Yield what is wrong with probes and hooks; what runs to its end before the others has none."""
    for field in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
        held = one.get(field)
        if held is None:
            continue
        here = (*path, field)
        if not allowed:
            yield forbidden("init-container", here, _INIT_ONLY_SIDECARS)
        elif field == "lifecycle":
            yield from lifecycle(held, here, grace=grace)
        else:
            yield from probe(held, field, here, grace=grace)


def _environment(one: Part, path: Path, volumes: dict[str, str]) -> Iterator[Problem]:
    for here, variable in each(one, "env", path):
        name = variable.get("name") or ""
        if not name:
            yield required("env-name", (*here, "name"))
        elif not _ENV_NAME.match(name):
            yield invalid(
                "env-name", (*here, "name"), name,
                _NO_ENV_NAME,
            )  # fmt: skip
        source = variable.get("valueFrom")
        if source is not None:
            yield from _env_source(source, variable, (*here, "valueFrom"), volumes)


def _env_source(
    source: Part, variable: Part, path: Path, volumes: dict[str, str]
) -> Iterator[Problem]:
    found = [s for s in _ENV_SOURCES if source.get(s) is not None]
    if not found:
        yield invalid(
            "env-source", path, "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        )  # fmt: skip
    elif variable.get("value"):
        yield invalid("env-source", path, "", "may not be specified when `value` is not empty")
    elif len(found) > 1:
        yield invalid(
            "env-source", path, "", "may not have more than one field specified at a time"
        )
    for field in found:
        here, ref = (*path, field), source[field]
        match field:
            case "fieldRef":
                yield from _field(ref.get("fieldPath") or "", (*here, "fieldPath"))
            case "resourceFieldRef":
                yield from _resource_field(ref.get("resource") or "", (*here, "resource"))
                yield from _divisor(ref, (*here, "divisor"))
            case "configMapKeyRef" | "secretKeyRef":
                if wrong := names.subdomain_problem(ref.get("name") or ""):
                    yield invalid("env-source", (*here, "name"), ref.get("name") or "", wrong)
                if not ref.get("key"):
                    yield required("env-source", (*here, "key"))
                elif wrong := names.config_key_problem(ref["key"]):
                    yield invalid("env-source", (*here, "key"), ref["key"], wrong)
            case "fileKeyRef":
                yield from _file_key(ref, here, volumes)


def _file_key(ref: Part, path: Path, volumes: dict[str, str]) -> Iterator[Problem]:
    yield from relative(ref.get("path") or "", (*path, "path"), "env-source")
    key, volume = ref.get("key") or "", ref.get("volumeName") or ""
    if not key:
        yield required("env-source", (*path, "key"))
    elif not _ENV_NAME.match(key):
        yield invalid("env-source", (*path, "key"), key, _NO_ENV_NAME)
    here = (*path, "volumeName")
    if not volume:
        yield required("env-source", here)
    elif volume not in volumes:
        yield not_found("env-source", here, volume, volumes)
    elif volumes[volume] not in ("emptyDir", ""):
        yield invalid("env-source", here, volume, "referenced volume must be of type emptyDir")


def _field(text: str, path: Path) -> Iterator[Problem]:
    if not text:
        yield required("env-source", path)
        return
    if text in _ENV_FIELDS:
        return
    if match := _SUBSCRIPT.match(text):
        lowered = match[2] if match[1] == "metadata.labels" else match[2].lower()
        if wrong := names.qualified_problem(lowered):
            yield invalid("env-source", path, match[2], wrong)
        return
    if text in (
        "metadata.labels",
        "metadata.annotations",
        "spec.schedulerName",
        "spec.restartPolicy",
        "status.phase",
    ):
        yield unsupported("env-source", path, text, _ENV_FIELDS)
        return
    told = f"error converting fieldPath: field label not supported: {text}"
    yield invalid("env-source", path, text, told, hint=nearest(text, _ENV_FIELDS))


def _resource_field(text: str, path: Path) -> Iterator[Problem]:
    if not text:
        yield required("env-source", path)
    elif not _RESOURCE_FIELD.match(text):
        words = [
            f"{g}.{n}"
            for g in ("limits", "requests")
            for n in ("cpu", "memory", "ephemeral-storage")
        ]
        yield unsupported("env-source", path, text, words)


def _divisor(ref: Part, path: Path) -> Iterator[Problem]:
    resource, given = ref.get("resource") or "", ref.get("divisor")
    kind = resource.partition(".")[2]
    allowed = _DIVISORS.get("hugepages" if kind.startswith("hugepages-") else kind)
    try:
        amount = quantities.parse(given) if given is not None else 0
    except ValueError:
        return
    if amount and allowed is not None and amount not in [quantities.parse(a) for a in allowed]:
        word = "hugepages" if kind.startswith("hugepages-") else kind
        told = (
            f"only divisor's values {_listed_words(allowed)} are supported with the {word} resource"
        )
        yield invalid("env-source", path, resource, told)


def _listed_words(words: tuple[str, ...]) -> str:
    return " and ".join(words) if len(words) == 2 else ", ".join(words)


def _environment_from(one: Part, path: Path) -> Iterator[Problem]:
    for here, source in each(one, "envFrom", path):
        prefix = source.get("prefix") or ""
        if prefix and not _ENV_NAME.match(prefix):
            yield invalid(
                "env-name", (*here, "prefix"), prefix,
                _NO_ENV_NAME,
            )  # fmt: skip
        found = [f for f in ("configMapRef", "secretRef") if source.get(f) is not None]
        if not found:
            told = "must specify one of: `configMapRef` or `secretRef`"
            yield invalid("env-source", here, "", told, named=_listed(path, "envFrom"))
        elif len(found) > 1:
            told = "may not have more than one field specified at a time"
            yield invalid("env-source", here, "", told, named=_listed(path, "envFrom"))
        for field in found:
            name = source[field].get("name") or ""
            if not name:
                yield required("env-source", (*here, field, "name"))
            elif wrong := names.subdomain_problem(name):
                yield invalid("env-source", (*here, field, "name"), name, wrong)


def _listed(path: Path, field: str) -> str:
    return Problem((*path, field), "", "").field


def _ports(
    one: Part, path: Path, pod: Inside, *, taken: set[tuple[str, str, int]]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for here, port in each(one, "ports", path):
        number, host = port.get("containerPort") or 0, port.get("hostPort") or 0
        protocol = port.get("protocol") or "TCP"
        if not number:
            yield required("port-number", (*here, "containerPort"))
        elif not 0 < number < 65536:
            told = "must be between 1 and 65535, inclusive"
            yield invalid("port-number", (*here, "containerPort"), number, told)
        if host and not 0 < host < 65536:
            told = "must be between 1 and 65535, inclusive"
            yield invalid("port-number", (*here, "hostPort"), host, told)
        if host and pod.host_network and host != number:
            told = "must match `containerPort` when `hostNetwork` is true"
            yield invalid("host-port", (*here, "hostPort"), host, told)
        name = port.get("name") or ""
        if name:
            if wrong := names.port_name_problem(name):
                yield invalid("port-name", (*here, "name"), name, wrong)
            elif name in seen:
                yield duplicate("port-name", (*here, "name"), name)
            seen.add(name)
        if host:
            key = (protocol, port.get("hostIP") or "", host)
            if key in taken:
                yield duplicate("host-port", (*here, "hostPort"), f"{protocol}/{key[1]}/{host}")
            taken.add(key)


def _recursive(mount: Part, path: Path) -> Iterator[Problem]:
    if not mount.get("readOnly"):
        yield forbidden("mount", path, "may only be specified when readOnly is true")
    if mount.get("mountPropagation") not in (None, "", "None"):
        told = "may only be specified when mountPropagation is None or not specified"
        yield forbidden("mount", path, told)


def _mounts(one: Part, path: Path, volumes: dict[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    privileged = bool((one.get("securityContext") or {}).get("privileged"))
    for here, mount in each(one, "volumeMounts", path):
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required("mount", (*here, "name"))
        elif name not in volumes:
            yield not_found("mount", (*here, "name"), name, volumes)
        if not where:
            yield required("mount", (*here, "mountPath"))
        if where in seen:
            yield invalid("mount", (*here, "mountPath"), where, "must be unique")
        seen.add(where)
        for field in ("subPath", "subPathExpr"):
            inside = mount.get(field) or ""
            named = f"{_listed(path, 'volumeMounts')}.{field}"
            if inside.startswith("/"):
                yield invalid(
                    "mount", (*here, field), inside, "must be a relative path", named=named
                )
            elif ".." in inside.split("/"):
                yield invalid("mount", (*here, field), inside, "must not contain '..'", named=named)
        if mount.get("recursiveReadOnly") not in (None, "", "Disabled"):
            yield from _recursive(mount, (*here, "recursiveReadOnly"))
        if mount.get("subPath") and mount.get("subPathExpr"):
            told = "subPathExpr and subPath are mutually exclusive"
            yield invalid("mount", (*here, "subPathExpr"), mount["subPathExpr"], told)
        if mount.get("mountPropagation") == "Bidirectional" and not privileged:
            told = "Bidirectional mount propagation is available only to privileged containers"
            yield forbidden("mount", (*here, "mountPropagation"), told)


def _devices(one: Part, path: Path, volumes: dict[str, str]) -> Iterator[Problem]:
    seen: set[str] = {m.get("mountPath") or "" for _, m in each(one, "volumeMounts", path)}
    for here, device in each(one, "volumeDevices", path):
        name, where = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            yield required("mount", (*here, "name"))
        elif name not in volumes:
            yield not_found("mount", (*here, "name"), name, volumes)
        elif volumes[name] not in ("persistentVolumeClaim", "ephemeral", ""):
            told = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid("mount", (*here, "name"), name, told)
        if not where:
            yield required("mount", (*here, "devicePath"))
        elif where in seen:
            yield invalid("mount", (*here, "devicePath"), where, "must be unique")
        seen.add(where)
