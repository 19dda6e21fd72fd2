"""Where the desired state comes from: a source gives snapshots, and hints when to take another.

Events are hints; a digest decides. ``DirectorySource`` reads a directory (or one file).
"""

from reconciler.gitops.source.directory import DirectorySource
from reconciler.gitops.source.snapshot import Commit, File, Problem, Snapshot, Source

__all__ = ["Commit", "DirectorySource", "File", "Problem", "Snapshot", "Source"]
