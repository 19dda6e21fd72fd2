"""Admission that needs to see other objects: default classes, and the namespace that must be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import Key, Object, annotations_of
from reconciler.api.quantities import parse as quantity
from reconciler.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from reconciler.api.kinds import Kind

_DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class"
_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
_INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def check_namespace(
    kind: Kind, namespace: str, name: str, head: Callable[[Key], Object | None]
) -> None:
    """Refuse a new object in a namespace that is not there or is going away (NamespaceLifecycle)."""
    found = head(Key("", "Namespace", "", namespace))
    if found is None:
        raise NotFound(f'namespaces "{namespace}" not found', kind="namespaces", name=namespace)
    if found["metadata"].get("deletionTimestamp"):
        raise Forbidden(
            f'{kind.resource} "{name}" is forbidden: unable to create new content in namespace '
            f"{namespace} because it is being terminated",
            kind=kind.plural,
            group=kind.group,
            name=name,
        )


def check_growth(before: Object, after: Object, head: Callable[[Key], Object | None]) -> None:
    """Refuse that a claim asks for more than it did where its class does not allow it (V20)."""
    old, new = (_asked(claim) for claim in (before, after))
    if new <= old or not old:
        return
    name = str(before["spec"].get("storageClassName") or "")
    found = head(Key("storage.k8s.io", "StorageClass", "", name)) if name else None
    if found is None or not found.get("allowVolumeExpansion"):
        claim = before["metadata"]["name"]
        raise Forbidden(
            f'persistentvolumeclaims "{claim}" is forbidden: only dynamically provisioned pvc can be resized '
            "and the storageclass that provisions the pvc must support resize",
            kind="persistentvolumeclaims",
            name=claim,
        )


def _asked(claim: Object) -> Fraction:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return quantity(requests.get("storage", 0))


def fill_classes(obj: Object, kind: Kind, listed: Callable[[Kind], Iterable[Object]]) -> None:
    """Name the default StorageClass of a claim and the default IngressClass of an Ingress (V07, I08)."""
    if kind is kinds.PERSISTENT_VOLUME_CLAIM:
        spec = obj.get("spec")
        if isinstance(spec, dict) and spec.get("storageClassName") is None:
            _name_default(spec, "storageClassName", listed(kinds.STORAGE_CLASS), _DEFAULT_STORAGE)
    elif kind is kinds.INGRESS:
        spec = obj.get("spec")
        if (
            isinstance(spec, dict)
            and spec.get("ingressClassName") is None
            and _INGRESS_CLASS_ANNOTATION not in annotations_of(obj)
        ):
            _name_default(spec, "ingressClassName", listed(kinds.INGRESS_CLASS), _DEFAULT_INGRESS)


def _name_default(
    spec: dict[str, object], field: str, classes: Iterable[Object], annotation: str
) -> None:
    defaults = [c for c in classes if annotations_of(c).get(annotation) == "true"]
    if defaults:
        newest = max(
            defaults, key=lambda c: (c["metadata"]["creationTimestamp"], c["metadata"]["name"])
        )
        spec[field] = newest["metadata"]["name"]
