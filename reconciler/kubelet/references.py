"""Which objects a Pod reads: a change of one must reach it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: (kind, namespace, name)
Reference = tuple[str, str, str]


def references(pod: Object) -> Iterator[Reference]:
    """Yield the ConfigMaps, Secrets and claims that a Pod names."""
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    for container in [*spec["containers"], *(spec.get("initContainers") or ())]:
        for source in [
            *(container.get("envFrom") or ()),
            *(e.get("valueFrom") or {} for e in container.get("env") or ()),
        ]:
            yield from _of_source(source, namespace)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume, namespace)
        for part in (volume.get("projected") or {}).get("sources") or ():
            yield from _of_volume(part, namespace)


def _of_source(source: dict[str, Any], namespace: str) -> Iterator[Reference]:
    for field, kind in (
        ("configMapRef", "ConfigMap"),
        ("configMapKeyRef", "ConfigMap"),
        ("secretRef", "Secret"),
        ("secretKeyRef", "Secret"),
    ):
        if source.get(field):
            yield kind, namespace, source[field].get("name", "")


def _of_volume(volume: dict[str, Any], namespace: str) -> Iterator[Reference]:
    if volume.get("configMap"):
        yield "ConfigMap", namespace, volume["configMap"].get("name", "")
    if volume.get("secret"):
        secret = volume["secret"]
        yield "Secret", namespace, secret.get("secretName") or secret.get("name", "")
    if volume.get("persistentVolumeClaim"):
        yield "PersistentVolumeClaim", namespace, volume["persistentVolumeClaim"]["claimName"]
