"""Backups of a state directory: made while it is in use, checked before anything is touched, restored anywhere.

    archive     the file's format: what may be in it, and what may not
    create      writing one
    restore     checking one, and putting it in place

A backup holds the objects, the history and whatever else lies in the state directory; not what belongs to this machine and
moment (sockets, locks, process records, logs of Pods). Volumes, keys and clones of sources are there when asked for.
"""

from reconciler.daemon.backup.archive import Header
from reconciler.daemon.backup.create import Contents, create
from reconciler.daemon.backup.restore import check, restore

__all__ = ["Contents", "Header", "check", "create", "restore"]
