"""Probes (Kubernetes' ``pkg/probe`` and ``pkg/kubelet/prober``): exec, httpGet, tcpSocket, grpc (B01 to B14).

``container`` decides from what probes find whether a container has started, is ready and lives; ``prober`` asks once.
"""

from reconciler.kubelet.probes.container import ContainerProbes
from reconciler.kubelet.probes.prober import AlwaysReady, NetworkProber
from reconciler.kubelet.probes.target import Outcome, Prober, Target

__all__ = ["AlwaysReady", "ContainerProbes", "NetworkProber", "Outcome", "Prober", "Target"]
