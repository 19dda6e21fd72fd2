"""Where the desired state comes from: a source gives snapshots, and hints when to take another.

Events are hints; a digest decides. ``DirectorySource`` reads a directory (or one file), ``git.GitSource`` a repository;
``Sources`` makes what an Application asks for.
"""

from reconciler.gitops.source.directory import DirectorySource
from reconciler.gitops.source.snapshot import Commit, File, Problem, Snapshot, Source
from reconciler.gitops.source.sources import Sources

__all__ = ["Commit", "DirectorySource", "File", "Problem", "Snapshot", "Source", "Sources"]
