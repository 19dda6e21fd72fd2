"""The sync engine: every Application's loop from source to status (Argo CD's application controller).

``Engine.run`` follows Applications; each has one task that reads its source, renders, validates, compares, plans,
applies, prunes and reports. It drives any ``Client``.
"""

from reconciler.gitops.engine.engine import KINDS, Engine

__all__ = ["KINDS", "Engine"]
