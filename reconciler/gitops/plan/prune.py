"""What a sync may delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

PRUNE_ANNOTATION = "reconciler.dev/prune"

#: Data is never pruned without being told to.
_KEPT_KINDS = frozenset({"PersistentVolumeClaim", "PersistentVolume"})


def may_prune(live: Object) -> bool:
    """Whether an object that nobody wants any more may be deleted by a sync."""
    if live.get("kind") in _KEPT_KINDS:
        return False
    return annotations_of(live).get(PRUNE_ANNOTATION) not in ("disabled", "confirm")
