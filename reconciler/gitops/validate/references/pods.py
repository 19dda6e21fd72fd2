"""What a Pod's spec names: ConfigMaps, Secrets, claims, accounts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import Key
from reconciler.gitops.validate.references.reference import Part, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.render.reader import Path

Spec = dict[str, Any]


def ports_of(spec: Spec) -> frozenset[str]:
    """Return the names of all ports of a Pod."""
    return frozenset(
        port["name"]
        for field in ("containers", "initContainers")
        for container in spec.get(field) or ()
        for port in (container or {}).get("ports") or ()
        if port.get("name")
    )


def of_pod(spec: Spec, path: Path, namespace: str) -> Iterator[Reference]:
    """Yield every object that a Pod's spec names."""
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = (*path, field, index)
            for number, source in enumerate(container.get("envFrom") or ()):
                yield from _source(source, (*here, "envFrom", number), namespace)
            for number, variable in enumerate(container.get("env") or ()):
                value = variable.get("valueFrom") or {}
                yield from _source(value, (*here, "env", number, "valueFrom"), namespace)
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _volume(volume, (*path, "volumes", index), namespace)
    account = spec.get("serviceAccountName")
    if account and account != "default":
        key = Key("", "ServiceAccount", namespace, account)
        yield Reference(key, (*path, "serviceAccountName"), "reference/service-account", "warning")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if secret.get("name"):
            key = Key("", "Secret", namespace, secret["name"])
            where = (*path, "imagePullSecrets", index, "name")
            yield Reference(key, where, "reference/image-pull-secret", "warning")


def _source(source: Spec, path: Path, namespace: str) -> Iterator[Reference]:
    for field, kind in (
        ("configMapRef", "ConfigMap"),
        ("secretRef", "Secret"),
        ("configMapKeyRef", "ConfigMap"),
        ("secretKeyRef", "Secret"),
    ):
        ref = source.get(field)
        if ref:
            here = (*path, field)
            keys = ((ref["key"], (*here, "key")),) if ref.get("key") else ()
            yield from _config(kind, namespace, ref, "name", keys, here)


def _volume(volume: Spec, path: Path, namespace: str) -> Iterator[Reference]:
    yield from _files(volume, path, namespace, "secretName")
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        yield from _files(source, (*path, "projected", "sources", index), namespace, "name")
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if claim:
        key = Key("", "PersistentVolumeClaim", namespace, claim)
        yield Reference(key, (*path, "persistentVolumeClaim", "claimName"), "reference/claim")


def _files(source: Spec, path: Path, namespace: str, secret_name: str) -> Iterator[Reference]:
    for field, kind, name in (
        ("configMap", "ConfigMap", "name"),
        ("secret", "Secret", secret_name),
    ):
        ref = source.get(field)
        if ref:
            here = (*path, field)
            keys = tuple(
                (item["key"], (*here, "items", number, "key"))
                for number, item in enumerate(ref.get("items") or ())
            )
            yield from _config(kind, namespace, ref, name, keys, here)


def _config(
    kind: str,
    namespace: str,
    ref: Spec,
    name_field: str,
    keys: tuple[tuple[str, Path], ...],
    path: Path,
) -> Iterator[Reference]:
    name = ref.get(name_field)
    if name and not ref.get("optional"):
        rule = "reference/config-map" if kind == "ConfigMap" else "reference/secret"
        key = Key("", kind, namespace, name)
        yield Reference(key, (*path, name_field), rule, parts=tuple(Part(*k) for k in keys))
