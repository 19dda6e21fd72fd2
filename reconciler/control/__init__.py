"""controller-runtime: informers, work queue, and the executor that performs a Decision's actions.

``Plane`` runs controllers over an ``InformerCache``; ``EventWriter`` and ``Recorder`` write Kubernetes Events. It may
import the API vocabulary and knows nothing of registries, controllers or runtimes.
"""

from reconciler.control.events import EventWriter, Recorder
from reconciler.control.informer import InformerCache
from reconciler.control.plane import Plane, required_kinds

__all__ = ["EventWriter", "InformerCache", "Plane", "Recorder", "required_kinds"]
