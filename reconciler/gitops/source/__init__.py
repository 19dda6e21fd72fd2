"""Where the desired state comes from: a source gives snapshots, and hints when to take another.

Events are hints; a digest decides. ``DirectorySource`` reads a directory (or one file), ``git.GitSource`` a repository;
``Sources`` makes what an Application asks for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reconciler.gitops.source.snapshot import Commit, File, Problem, Snapshot, Source

if TYPE_CHECKING:
    from reconciler.gitops.source.directory import DirectorySource
    from reconciler.gitops.source.sources import Sources

__all__ = ["Commit", "DirectorySource", "File", "Problem", "Snapshot", "Source", "Sources"]

#: Loaded when asked for: who reads a directory once needs no event loop, no file watching and no git.
_LATER = {
    "DirectorySource": "reconciler.gitops.source.directory",
    "Sources": "reconciler.gitops.source.sources",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
