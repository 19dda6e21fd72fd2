"""Files become documents with positions: YAML and JSON as Kubernetes reads them, ``*.j2`` in a sandbox. Pure."""

from reconciler.gitops.render.document import Document, Origin, Rendered
from reconciler.gitops.render.render import RenderCache, render

__all__ = ["Document", "Origin", "RenderCache", "Rendered", "render"]
