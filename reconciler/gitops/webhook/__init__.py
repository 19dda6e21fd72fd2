"""Webhooks of git servers: what one says is checked, and then only wakes the sources of the repository that it names.

delivery     who sent it, and whether the signature is right              pure
payload      which repository it is about                                 pure
limit        how many are listened to                                     pure
receiver     the HTTP listener
"""

from reconciler.gitops.webhook.receiver import Receiver, serve

__all__ = ["Receiver", "serve"]
