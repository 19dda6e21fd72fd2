"""A Pod's volumes on this node: ``Volumes`` is the face.

``sources`` says what files come from the API, ``atomic`` writes them, ``host_path`` and ``ownership`` do what Kubernetes does
to paths of the host and for fsGroup, ``mounts`` turns volumeMounts into the runtime's, ``usage`` measures.
"""

from reconciler.kubelet.volumes import ownership
from reconciler.kubelet.volumes.mounts import mounts_of
from reconciler.kubelet.volumes.sources import token_key
from reconciler.kubelet.volumes.usage import used_bytes
from reconciler.kubelet.volumes.volumes import (
    LOCAL_PATH,
    InMemory,
    MountedVolume,
    Volumes,
    in_memory,
)

__all__ = [
    "LOCAL_PATH",
    "InMemory",
    "MountedVolume",
    "Volumes",
    "in_memory",
    "mounts_of",
    "ownership",
    "token_key",
    "used_bytes",
]
