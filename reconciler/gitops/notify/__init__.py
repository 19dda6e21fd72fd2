"""Telling people and machines what became of syncs: webhooks, Slack, mail, commit statuses.

``Notifier.tell`` is an observer of the engine and returns at once; ``Notifier.run`` delivers. A channel that is slow or
gone holds up nothing but itself.
"""

from reconciler.gitops.notify.notifier import Notifier

__all__ = ["Notifier"]
