"""Whether an object is as far as what comes after it needs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api.objects import revision_of, uid_of
from reconciler.gitops import health as healths
from reconciler.gitops.plan import Need

if TYPE_CHECKING:
    from reconciler.api.objects import Object


class Gate(NamedTuple):
    """``open``: what comes after may begin. ``failed``: waiting longer is no use. Else ``message`` says what is awaited."""

    open: bool
    failed: bool = False
    message: str = ""


def gate(live: Object | None, need: Need, applied: Object | None = None) -> Gate:
    """Judge an object as it is now; ``applied`` is what the API answered, so that an older copy is not believed."""
    if need is Need.GONE:
        gone = live is None or (applied is not None and uid_of(live) != uid_of(applied))
        return Gate(gone, message="" if gone else "it is being deleted")
    if live is None:
        return Gate(open=False, message="it does not exist")
    if (
        applied is not None
        and uid_of(live) == uid_of(applied)
        and revision_of(live) < revision_of(applied)
    ):
        return Gate(open=False, message="its change has not been seen yet")
    if _awaits_consumer(live):
        return Gate(open=True)
    if live.get("kind") == "Pod" and (live.get("status") or {}).get("phase") == "Failed":
        # To kstatus it is done, but nothing can build on it.
        return Gate(open=False, failed=True, message=healths.health(live).message)
    state = healths.reconciled(live)
    if state.status == "Failed":
        return Gate(open=False, failed=True, message=state.message or "it has failed")
    if state.status != "Current":
        return Gate(open=False, message=state.message or state.status)
    if need is not Need.HEALTHY:
        return Gate(open=True)
    health = healths.health(live)
    # What somebody has suspended on purpose holds nothing up.
    is_open = health.status in (healths.HEALTHY, healths.SUSPENDED)
    return Gate(is_open, message="" if is_open else health.message or health.status)


def _awaits_consumer(live: Object) -> bool:
    """Whether it is a claim that is not bound: it may wait for its first consumer, and must not hold that one up."""
    phase = (live.get("status") or {}).get("phase")
    return live.get("kind") == "PersistentVolumeClaim" and phase != "Lost"
