"""The composition root: every part of a running daemon in one TaskGroup, started in order, stopped in reverse."""

from reconciler.daemon.options import Options
from reconciler.daemon.run import run

__all__ = ["Options", "run"]
