"""What becomes of syncs, told to whoever subscribes: notifications, commit statuses, metrics. Pure.

The engine tells; observers listen::

    engine = Engine(..., observers=[notifier.tell, sync_metrics.count])

    def tell(outcome: Outcome) -> None: ...

An observer is a plain call: it must return at once (put what takes time on a queue of its own) and whatever it raises is
logged and ends there, so that no observer ever holds up a sync. Outcomes of one Application come in order; after a
restart of the daemon HEALTHY and DEGRADED are told only when they differ from what the Application's status says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.objects import Object

log = structlog.get_logger(__name__)


class OutcomeKind(StrEnum):
    """What has happened to an Application."""

    STARTED = "started"  # a sync begins to apply
    SUCCEEDED = "succeeded"  # everything was applied
    FAILED = "failed"  # something was refused, or the deadline has passed
    INVALID = "invalid"  # the source cannot be read or rendered, or its manifests are wrong: nothing was touched
    HEALTHY = "healthy"  # its health has become Healthy
    DEGRADED = "degraded"  # its health has become Degraded
    DRIFT = "drift"  # live objects differ from the synced revision
    HELD = "held"  # a guard holds something back until somebody confirms it
    ROLLED_BACK = "rolled-back"  # a recorded revision is applied again


class Outcome(NamedTuple):
    """One thing that has happened.

    ``application`` is the Application as it was then (shared: never change it). ``at`` is seconds since the epoch,
    ``seconds`` how long a finished sync took. ``message`` is one text for people; ``author`` and ``title`` are the
    revision's where its source knows them. ``trigger`` is what started the sync (``history.Trigger``).
    """

    kind: OutcomeKind
    application: Object
    revision: str
    message: str
    at: float
    author: str = ""
    title: str = ""
    trigger: str = ""
    seconds: float | None = None

    @property
    def name(self) -> str:
        """The Application's name."""
        return str(self.application["metadata"]["name"])


class Outcomes:
    """Tells every observer."""

    def __init__(self, observers: Iterable[Callable[[Outcome], None]] = ()) -> None:
        self._observers = list(observers)

    def subscribe(self, observer: Callable[[Outcome], None]) -> None:
        """Tell one more observer, of everything from now on."""
        self._observers.append(observer)

    def tell(self, outcome: Outcome) -> None:
        """Tell all; an observer that fails is logged and does not hinder the rest."""
        for observer in self._observers:
            try:
                observer(outcome)
            except Exception:
                log.exception("observer failed", outcome=outcome.kind, application=outcome.name)
