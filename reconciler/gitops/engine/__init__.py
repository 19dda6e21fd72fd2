"""The sync engine: every Application's loop from source to status (Argo CD's application controller).

``Engine.run`` follows Applications; each has one loop (``application``), and each of its steps a module, which share
``parts`` and what is known (``state``):

    reading      source, render, validate: what one revision wants; ``pins``: or what is wanted in its place
    comparing    what is wanted against what is
    guards       whose objects are, what may be pruned; ``claims``: who wants what
    planning     from what differs to the plan of a sync
    policy       may we sync now? Pure decisions that say why not
    deciding     a sync, or nothing and why
    operations   one sync over all its tries, healthy within its deadline or who is to blame (``culprit``)
    syncing      a plan applied
    recording    the history of syncs; ``rollback``: which of them is wanted in place of the source
    standing     what a loop must remember over a restart, in the status
    concluding   what the last sync came to, and whether to go back by itself
    report       status: sync, health, conditions, inventory
    deletion     an Application taken away with what it made
    outcomes     what happens, told to observers: notifications, metrics, commit statuses

It drives any ``Client``.
"""

from reconciler.gitops.engine.engine import KINDS, Engine
from reconciler.gitops.engine.measures import SyncMeasures
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind
from reconciler.gitops.engine.policy.settings import Retention
from reconciler.gitops.engine.tailing import AgentTail

__all__ = [
    "KINDS",
    "AgentTail",
    "Engine",
    "Outcome",
    "OutcomeKind",
    "Retention",
    "SyncMeasures",
]
