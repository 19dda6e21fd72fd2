"""What the work queues and controllers did, in figures (controller-runtime's metrics, under our name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.telemetry.measures import SHORT, Counter, Histogram

if TYPE_CHECKING:
    from reconciler.telemetry.measures import Family


class PlaneMeasures:
    """Counted by every controller's loop."""

    def __init__(self) -> None:
        self.waited = Histogram(
            "reconciler_workqueue_queue_duration_seconds",
            "How long a key waited before a controller took it.",
            "controller", bounds=SHORT,
        )  # fmt: skip
        self.reconciled = Counter(
            "reconciler_controller_reconcile",
            "Decisions that a controller made, by what came of them.",
            "controller", "result",
        )  # fmt: skip
        self.took = Histogram(
            "reconciler_controller_reconcile_duration_seconds",
            "How long deciding and acting took.",
            "controller", bounds=SHORT,
        )  # fmt: skip

    def families(self) -> list[Family]:
        return [self.waited.family(), self.reconciled.family(), self.took.family()]
