"""kube-apiserver without HTTP: the objects, their rules and their watches. ``Registry`` implements ``api.client.Client``.

Owns uid, resourceVersion, generation, managedFields, finalizers and the grace of deletion; admission (defaulting,
validation, immutability) is pure and lies in ``admission``. Stands on a ``store``; knows nothing of controllers.
"""

from reconciler.registry.registry import Registry

__all__ = ["Registry"]
