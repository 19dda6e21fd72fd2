"""A git repository as a source: fetched into a bare clone of ours, read out of its objects, never checked out.

``GitSource`` follows a ``Repository``; ``GitSpec`` is what an Application says of it.
"""

from reconciler.gitops.source.git.repository import Access, Repository
from reconciler.gitops.source.git.source import GitSource
from reconciler.gitops.source.git.spec import GitSpec, parse

__all__ = ["Access", "GitSource", "GitSpec", "Repository", "parse"]
