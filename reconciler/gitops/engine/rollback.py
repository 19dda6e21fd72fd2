"""Going back: which recorded set is wanted in place of the source, and when that ends. Decides; the loop acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import Key
from reconciler.errors import ReconcilerError
from reconciler.gitops.engine.desired import wanted_of
from reconciler.gitops.engine.reading import Reading
from reconciler.gitops.engine.standing import Pin
from reconciler.gitops.history.record import HEALTHY, Trigger, before, find
from reconciler.gitops.hooks import hook_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.api.objects import Object
    from reconciler.api.requests import RollbackRequest
    from reconciler.gitops.engine.standing import Standing
    from reconciler.gitops.history import Record


class CannotRollBack(ReconcilerError):
    """There is nothing to go back to, or one may not; the message says which."""


def asked_for(
    request: RollbackRequest, records: Sequence[Record], current: str, source: str, now: float
) -> Pin:
    """Return the rollback that a user asks for; ``current`` is the digest of the set in force. Raises ``CannotRollBack``."""
    if request.to:
        found = [r for r in find(records, request.to) if r.set]
        if not found:
            raise CannotRollBack(f"the history holds no {request.to!r}: {_listed(records)}")
        if len({r.set for r in found}) > 1 and len({r.revision for r in found}) > 1:
            raise CannotRollBack(f"{request.to!r} may be any of {_listed(found)}")
        # Of several syncs of one revision the last good one rendered what is meant.
        target = next((r for r in reversed(found) if r.health == HEALTHY), found[-1])
    else:
        previous = before(records, current)
        if previous is None:
            raise CannotRollBack(f"no other good revision is recorded: {_listed(records)}")
        target = previous
    return Pin(target.id, target.revision, target.set, source, now, by=request.by)


def automatic(
    standing: Standing, records: Sequence[Record], source: str, reason: str, now: float
) -> Pin:
    """Return the way back to the last healthy revision after a failure. Raises ``CannotRollBack``, never goes in a circle."""
    operation = standing.operation
    back = (Trigger.ROLLBACK, Trigger.AUTOMATIC_ROLLBACK)
    is_back = standing.pin is not None and not standing.pin.asked
    if is_back or operation.trigger in back:
        raise CannotRollBack(
            f"{operation.revision}, which was rolled back to, is not well either: nothing more is tried until the source "
            f"changes, or `reconciler sync` or `reconciler rollback` is run: {reason}"
        )
    healthy = [r for r in records if r.health == HEALTHY and r.set and r.set != operation.set]
    if not healthy:
        raise CannotRollBack(
            f"rollbackOnFailure: no healthy revision is recorded to go back to: {reason}"
        )
    target = healthy[-1]
    return Pin(target.id, target.revision, target.set, source, now, automatic=True, reason=reason)


def reading_of(pin: Pin, objects: Iterable[Object], record: Record | None) -> Reading:
    """Return what a recorded set wants, as if it had just been read."""
    made = [wanted_of(o) for o in objects]
    keyed = {Key.of(w.object): w for w in made}
    hooks = {k: w for k, w in keyed.items() if hook_of(w.object) is not None}
    wanted = {k: w for k, w in keyed.items() if k not in hooks}
    author, title = (record.author, record.title) if record is not None else ("", "")
    return Reading(pin.revision, wanted, hooks, author, title)


def _listed(records: Sequence[Record]) -> str:
    if not records:
        return "it is empty"
    rows = [f"{r.id} ({r.revision[:12]})" for r in records[-10:]]
    return f"it has {', '.join(rows)}"
