"""The node agent: one Pod becomes a sandbox and containers, and its status (Kubernetes' kubelet).

``Kubelet`` runs a worker a Pod. What to do is decided by ``pod`` (pure), what to say by ``status`` (pure); the rest
performs it through the runtime's CRI verbs. It knows no particular runtime and no registry.
"""

from reconciler.kubelet.kubelet import KINDS, Kubelet
from reconciler.kubelet.names import ClusterDNS
from reconciler.kubelet.probes import AlwaysReady
from reconciler.kubelet.usage import PodUsages

__all__ = ["KINDS", "AlwaysReady", "ClusterDNS", "Kubelet", "PodUsages"]
