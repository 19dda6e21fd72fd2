"""The objects that are there from the start: namespaces, the default classes, the API's own Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import AlreadyExists

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.api.objects import Object

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

_CLASSES: tuple[Object, ...] = (
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "local-path",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "reconciler.dev/local-path",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            "name": "reconciler",
            "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
        },
        "spec": {"controller": "reconciler.dev/ingress"},
    },
)


async def bootstrap(client: Client) -> None:
    """Create what is missing; what a user has changed stays as it is."""
    namespaces: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in _NAMESPACES
    ]
    for obj in [*namespaces, *_CLASSES]:
        try:
            await client.create(obj, field_manager="reconciler")
        except AlreadyExists:
            continue
