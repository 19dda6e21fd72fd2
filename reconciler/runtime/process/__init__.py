"""The ``process`` runtime: containers are process groups of this host, Pods have addresses of their own.

Its counterpart is containerd with its shims. A supervisor (``supervisor/``, standard library only) outlives the
daemon and owns the containers; ``runtime`` is the daemon's side of it. There are no images: ``command`` runs the
host's programs, and ``ImageMapping`` says what an image without a command means. May import ``api`` and what lies
below. It isolates names and networks, not mutually hostile users.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reconciler.runtime.process.images import ImageMapping

if TYPE_CHECKING:
    from reconciler.runtime.process.runtime import ProcessRuntime

__all__ = ["ImageMapping", "ProcessRuntime"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: who only wants to know which fields are honoured needs no event loop.
    if name != "ProcessRuntime":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("reconciler.runtime.process.runtime").ProcessRuntime
