"""What the registry holds and writes, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.telemetry.measures import SHORT, Counter, Histogram, gauge

if TYPE_CHECKING:
    from reconciler.registry.cache import Cache
    from reconciler.telemetry.measures import Family


class WriteMeasures:
    """Counted by the revision log."""

    def __init__(self) -> None:
        self.writes = Counter(
            "reconciler_store_writes",
            "Revisions asked to be written, by what came of it.",
            "result",
        )
        self.commits = Histogram(
            "reconciler_store_commit_duration_seconds",
            "How long it took until a batch of writes was durable.",
            bounds=SHORT,
        )

    def families(self) -> list[Family]:
        return [self.writes.family(), self.commits.family()]


def held(revision: int, size: int, cache: Cache) -> list[Family]:
    """Return what is there now. ``size`` is bytes."""
    counts = [
        ((f"{kind}.{group}" if group else kind,), float(n))
        for (group, kind), n in cache.count().items()
    ]
    return [
        gauge("reconciler_store_revision", "The newest revision.", (), [((), revision)]),
        gauge("reconciler_store_size_bytes", "The store on disk.", (), [((), size)]),
        gauge("reconciler_store_objects", "Objects by kind.", ("kind",), counts),
    ]
