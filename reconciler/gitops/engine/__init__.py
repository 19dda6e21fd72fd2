"""The sync engine: every Application's loop from source to status (Argo CD's application controller).

``Engine.run`` follows Applications; each has one loop (``application``), and each of its steps a module:

    reading      source, render, validate: what one revision wants
    comparing    what is wanted against what is
    syncing      a plan applied within a deadline
    report       status: sync, health, conditions, history, inventory
    deletion     an Application taken away with what it made
    measures     syncs and Applications in figures
    outcomes     what happens, told to observers: notifications, metrics, commit statuses

It drives any ``Client``.
"""

from reconciler.gitops.engine.engine import KINDS, Engine
from reconciler.gitops.engine.measures import SyncMeasures
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind

__all__ = ["KINDS", "Engine", "Outcome", "OutcomeKind", "SyncMeasures"]
