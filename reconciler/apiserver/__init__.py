"""The HTTP skin over a Client: Kubernetes REST paths, watch, subresources. Knows no registry and no runtime."""

from reconciler.apiserver.observing import Check, Observing
from reconciler.apiserver.server import ApiServer

__all__ = ["ApiServer", "Check", "Observing"]
