"""The pluggable backend that runs Pods: a Protocol with the CRI's verbs, and its implementations.

``cri`` is the Protocol; ``process`` runs containers as process groups of this host; ``memory`` is deterministic and
scriptable. Kubernetes' counterpart is containerd or CRI-O behind ``k8s.io/cri-api``. May import ``api`` and what lies
below it; knows nothing of Clients, controllers or the kubelet, and decides nothing: it does what it is told.
"""
