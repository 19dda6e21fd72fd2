"""Telling of an Application: to observers as outcomes, to readers as Events; what stays the same is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.decision import Notice
from reconciler.gitops.engine.outcomes import Outcome, OutcomeKind
from reconciler.gitops.engine.reading import Reading
from reconciler.gitops.engine.standing import Standing

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.gitops.engine.policy.pruning import Pruning
    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.plan import Change

#: So many names are told for one reason.
TOLD_NAMES = 10


def held_message(pruning: Pruning, app: str) -> str:
    """Say what is not pruned, by reason, and how to let it go."""
    by_reason: dict[str, list[str]] = {}
    for held in pruning.held:
        if held.confirmable or not pruning.digest:
            by_reason.setdefault(held.reason, []).append(str(held.key))
    lines = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - TOLD_NAMES} more" if len(names) > TOLD_NAMES else ""
        lines.append(f"{reason}: {', '.join(names[:TOLD_NAMES])}{more}")
    if pruning.digest:
        lines.append(f"`reconciler sync {app} --confirm-prune` prunes them")
    return "\n".join(lines)


class Teller:
    """Tells of one Application; ``about`` says of which state."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._told: dict[OutcomeKind, object] = {}
        self._app: Object = {}
        self._reading = Reading()
        self._standing = Standing()

    def about(self, app: Object, reading: Reading, standing: Standing) -> None:
        """What follows is about this Application, at this revision."""
        self._app, self._reading, self._standing = app, reading, standing

    def tell(
        self,
        kind: OutcomeKind,
        severity: str,
        reason: str,
        message: str,
        seconds: float | None = None,
        /,
    ) -> None:
        """Tell observers, and whoever reads Events where there is a reason."""
        reading = self._reading
        outcome = Outcome(
            kind, self._app, reading.revision, message, self._shared.clock.now(),
            reading.author, reading.message, self._standing.operation.trigger, seconds,
        )  # fmt: skip
        self._shared.outcomes.tell(outcome)
        if reason:
            self._shared.recorder.record(Notice(self._app, severity, reason, message))

    def once(
        self, kind: OutcomeKind, what: object, severity: str, reason: str, message: str
    ) -> None:
        """Tell something that is found again at every look only when it is another than told last."""
        if self._told.get(kind) != what:
            self._told[kind] = what
            self.tell(kind, severity, reason, message)

    def forget(self, kind: OutcomeKind) -> None:
        """It is so no longer: the next time is news."""
        self._told.pop(kind, None)

    def event_once(self, reason: str, message: str) -> None:
        """Record an Event unless the Application's condition says it already."""
        known = (self._app.get("status") or {}).get("conditions") or ()
        if not any(c["type"] == reason and c["message"] == message for c in known):
            self._shared.recorder.record(Notice(self._app, "Warning", reason, message))

    def drift(self, drifted: list[Change], *, warn: bool) -> None:
        """Tell what was changed by others, once for the same objects; with ``warn`` an Event too."""
        keys = frozenset(c.key for c in drifted)
        if not keys:
            self.forget(OutcomeKind.DRIFT)
            return
        told = "; ".join(f"{c.key}: {c.cause}" for c in drifted[:5])
        self.once(OutcomeKind.DRIFT, keys, "Warning", "Drifted" if warn else "", told)
