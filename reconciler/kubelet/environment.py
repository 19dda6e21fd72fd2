"""A container's environment: literals, ``$(VAR)``, ConfigMaps, Secrets, the downward API, Service variables. Pure (P25, P26, P30 to P34)."""

from __future__ import annotations

import base64
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.errors import RuntimeFailure
from reconciler.kubelet import fields
from reconciler.kubelet.env_file import BadEnvFile, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
#: The Service of the API server: every Pod finds it.
_API_SERVICE = ("default", "kubernetes")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(VAR)``; ``$$`` is a dollar, and what is not defined stays as it is (P31).

    >>> expand("$(A) $$(A) $(B) $A $( $$", {"A": "1"})
    '1 $(A) $(B) $A $( $'
    """

    def one(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return env.get(match[1], match[0])

    return _REFERENCE.sub(one, text)


def resolve(
    pod: Object,
    container: dict[str, Any],
    snapshot: Snapshot,
    values: fields.PodValues,
    files: Mapping[tuple[str, str], str | None] = MappingProxyType({}),
) -> dict[str, str]:
    """Return the environment of one container, in Kubernetes' order: services, envFrom, env.

    ``files`` is what the files hold that it takes values from, by volume and path (None: there is no such file).
    Raises ``RuntimeFailure`` (CreateContainerConfigError) that names the object or key that is missing.
    """
    namespace = pod["metadata"]["namespace"]
    env: dict[str, str] = {}
    if pod["spec"].get("enableServiceLinks", True):
        env.update(_links(snapshot.list(kinds.SERVICE, namespace)))
    api = snapshot.get(kinds.SERVICE, *_API_SERVICE)
    if api is not None:
        env.update(_links([api]))
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        data = _from_source(source, snapshot, namespace)
        env.update({prefix + k: v for k, v in data.items()})
    for item in container.get("env") or ():
        if "valueFrom" not in item:
            env[item["name"]] = expand(item.get("value") or "", env)
            continue
        source = item["valueFrom"]
        if "fileKeyRef" in source:
            value = _from_file(source["fileKeyRef"], files)
        else:
            value = _value_from(source, pod, container, snapshot, values)
        if value is not None:
            env[item["name"]] = value
    env.setdefault("HOSTNAME", values.hostname)
    return env


def data_of(obj: Object) -> dict[str, bytes]:
    """Return what a ConfigMap or Secret holds, as bytes."""
    if obj["kind"] == "Secret":
        return {k: base64.b64decode(v or "") for k, v in (obj.get("data") or {}).items()}
    found = {k: str(v).encode() for k, v in (obj.get("data") or {}).items()}
    binary = obj.get("binaryData") or {}
    return {**found, **{k: base64.b64decode(v or "") for k, v in binary.items()}}


def _lookup(
    kind: kinds.Kind, snapshot: Snapshot, namespace: str, name: str, *, optional: bool
) -> Object | None:
    found = snapshot.get(kind, namespace, name)
    if found is None and not optional:
        word = "configmap" if kind is kinds.CONFIG_MAP else "secret"
        raise RuntimeFailure(f'{word} "{name}" not found', reason="CreateContainerConfigError")
    return found


def _from_source(source: dict[str, Any], snapshot: Snapshot, namespace: str) -> dict[str, str]:
    for field, kind in (("configMapRef", kinds.CONFIG_MAP), ("secretRef", kinds.SECRET)):
        ref = source.get(field)
        if ref:
            optional = bool(ref.get("optional"))
            found = _lookup(kind, snapshot, namespace, ref.get("name", ""), optional=optional)
            if found is not None:
                return {k: v.decode("utf-8", "replace") for k, v in data_of(found).items()}
    return {}


def _value_from(
    source: dict[str, Any],
    pod: Object,
    container: dict[str, Any],
    snapshot: Snapshot,
    values: fields.PodValues,
) -> str | None:
    if "fieldRef" in source:
        return fields.field_ref(pod, source["fieldRef"]["fieldPath"], values)
    if "resourceFieldRef" in source:
        return fields.resource_ref(pod, container, source["resourceFieldRef"], values)
    namespace = pod["metadata"]["namespace"]
    for field, kind, word in (
        ("configMapKeyRef", kinds.CONFIG_MAP, "ConfigMap"),
        ("secretKeyRef", kinds.SECRET, "Secret"),
    ):
        ref = source.get(field)
        if not ref:
            continue
        optional = bool(ref.get("optional"))
        found = _lookup(kind, snapshot, namespace, ref.get("name", ""), optional=optional)
        data = data_of(found) if found is not None else {}
        if ref["key"] in data:
            return data[ref["key"]].decode("utf-8", "replace")
        if not optional:
            raise RuntimeFailure(
                f"couldn't find key {ref['key']} in {word} {namespace}/{ref.get('name', '')}",
                reason="CreateContainerConfigError",
            )
    return None


def files_of(container: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the files that a container takes values from, by volume and path."""
    refs = ((e.get("valueFrom") or {}).get("fileKeyRef") for e in container.get("env") or ())
    return {(ref["volumeName"], ref["path"]) for ref in refs if ref}


def _from_file(ref: dict[str, Any], files: Mapping[tuple[str, str], str | None]) -> str | None:
    text = files.get((ref["volumeName"], ref["path"]))
    where = f"file {ref['path']} of volume {ref['volumeName']}"
    try:
        value = None if text is None else value_of(text, ref["key"])
    except BadEnvFile as error:
        raise RuntimeFailure(
            f"couldn't parse env file: {where}: {error}", reason="CreateContainerConfigError"
        ) from error
    if value is None and not ref.get("optional"):
        what = f"{where} not found" if text is None else (
            f'environment variable key "{ref["key"]}" not found in {where}'
        )  # fmt: skip
        raise RuntimeFailure(what, reason="CreateContainerConfigError")
    return value


def _links(services: Iterable[Object]) -> dict[str, str]:
    """Return ``NAME_SERVICE_HOST`` and its like for Services that have an address (P33)."""
    env: dict[str, str] = {}
    for service in services:
        spec = service.get("spec") or {}
        address = spec.get("clusterIP")
        ports = spec.get("ports") or ()
        if not address or address == "None" or not ports:
            continue
        name = service["metadata"]["name"].upper().replace("-", "_")
        env[f"{name}_SERVICE_HOST"] = address
        env[f"{name}_SERVICE_PORT"] = str(ports[0]["port"])
        first = f"{(ports[0].get('protocol') or 'TCP').lower()}://{address}:{ports[0]['port']}"
        env[f"{name}_PORT"] = first
        for port in ports:
            protocol = port.get("protocol") or "TCP"
            if port.get("name"):
                word = port["name"].upper().replace("-", "_")
                env[f"{name}_SERVICE_PORT_{word}"] = str(port["port"])
            prefix = f"{name}_PORT_{port['port']}_{protocol}"
            env[prefix] = f"{protocol.lower()}://{address}:{port['port']}"
            env[f"{prefix}_PROTO"] = protocol.lower()
            env[f"{prefix}_PORT"] = str(port["port"])
            env[f"{prefix}_ADDR"] = address
    return env
