"""What Applications are like and what became of their syncs, in figures. Subscribes to ``outcomes``."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.objects import name_of
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.telemetry.measures import LONG, Counter, Histogram, gauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object
    from reconciler.gitops.engine.outcomes import Outcome
    from reconciler.telemetry.measures import Family

_ENDED = {OutcomeKind.SUCCEEDED, OutcomeKind.FAILED, OutcomeKind.INVALID, OutcomeKind.HELD}


class SyncMeasures:
    """``count`` is an observer of the engine; gauges are read off the Applications when asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._syncs = Counter(
            "reconciler_application_syncs", "Syncs by what came of them.", "application", "result"
        )
        self._took = Histogram(
            "reconciler_application_sync_duration_seconds",
            "How long syncs took until everything was applied and reconciled.",
            "application", bounds=LONG,
        )  # fmt: skip
        self._drifts = Counter(
            "reconciler_application_drifts",
            "How often live objects were found to differ from the synced revision.",
            "application",
        )
        self._rollbacks = Counter(
            "reconciler_application_rollbacks", "Recorded revisions applied again.", "application"
        )
        self._finished: dict[str, float] = {}

    def count(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        name = outcome.name
        if outcome.kind in _ENDED:
            self._syncs.add(name, outcome.kind.value)
        if outcome.seconds is not None:
            self._took.observe(outcome.seconds, name)
        if outcome.kind is OutcomeKind.SUCCEEDED:
            self._finished[name] = outcome.at
        elif outcome.kind is OutcomeKind.DRIFT:
            self._drifts.add(name)
        elif outcome.kind is OutcomeKind.ROLLED_BACK:
            self._rollbacks.add(name)

    def measures(self) -> list[Family]:
        """Return the figures of all Applications. Implements ``telemetry.measures.Measured``."""
        apps = list(self._snapshot.list(kinds.APPLICATION))
        known = {name_of(a) for a in apps}
        self._finished = {n: at for n, at in self._finished.items() if n in known}
        return [
            gauge(
                "reconciler_application_info", "Each Application as it is: always 1.",
                ("application", "sync_status", "health_status", "suspended"),
                [((name_of(a), *_state(a)), 1) for a in apps],
            ),
            gauge(
                "reconciler_application_resources", "Objects of an Application by health.",
                ("application", "health_status"), _healths(apps),
            ),
            gauge(
                "reconciler_application_out_of_sync_resources",
                "Objects of an Application that differ from its source.",
                ("application",), [((name_of(a),), _differing(a)) for a in apps],
            ),
            gauge(
                "reconciler_application_last_sync_timestamp_seconds",
                "When an Application was synced last, since this daemon started.",
                ("application",), [((n,), at) for n, at in sorted(self._finished.items())],
            ),
            self._syncs.family(),
            self._took.family(),
            self._drifts.family(),
            self._rollbacks.family(),
        ]  # fmt: skip


def _state(app: Object) -> tuple[str, str, str]:
    status = app.get("status") or {}
    sync = (status.get("sync") or {}).get("status") or "Unknown"
    health = (status.get("health") or {}).get("status") or "Unknown"
    suspended = bool((app.get("spec") or {}).get("suspend"))
    return sync, health, str(suspended).lower()


def _rows(app: Object) -> list[dict[str, Any]]:
    return list((app.get("status") or {}).get("resources") or ())


def _healths(apps: Iterable[Object]) -> list[tuple[tuple[str, ...], float]]:
    found: list[tuple[tuple[str, ...], float]] = []
    for app in apps:
        tally = Tally((r.get("health") or {}).get("status", "Unknown") for r in _rows(app))
        found += [((name_of(app), status), float(n)) for status, n in sorted(tally.items())]
    return found


def _differing(app: Object) -> int:
    return sum(r.get("status") == "OutOfSync" for r in _rows(app))
