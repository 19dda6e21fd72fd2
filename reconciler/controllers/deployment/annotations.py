"""The annotations of a Deployment's ReplicaSets: revisions and sizes (DP11, DP12, DP18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import annotations_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HISTORY = "deployment.kubernetes.io/revision-history"
#: The annotation of former revisions is no longer than this, in characters (DP12).
LONGEST_HISTORY = 2000
NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "deprecated.deployment.rollback.to",
    }
)


def revision_of(obj: Object) -> int:
    """Return the number of a ReplicaSet's or Deployment's revision; 0 where it has none."""
    text = annotations_of(obj).get(REVISION) or ""
    return int(text) if text.isdigit() else 0


def with_revision(history: str, number: int) -> str:
    """Return the former revisions with one more; the oldest are forgotten where it gets too long."""
    kept = [part for part in history.split(",") if part]
    kept.append(str(number))
    while len(",".join(kept)) > LONGEST_HISTORY:
        del kept[0]
    return ",".join(kept)
