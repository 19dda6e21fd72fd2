"""How an Application stands: its last sync, a rollback in force, requests answered.

Kept in its status, so that nothing that a restart would miss lives only in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import parse_rfc3339, rfc3339, rfc3339_micro
from reconciler.gitops.history.record import FAILED, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.gitops.history.record import Record

#: Syncs that the status shows; ``reconciler history`` shows all that are kept.
SHOWN_SYNCS = 10


class Operation(NamedTuple):
    """The last sync, over all its tries. Times in seconds since the epoch; ``deadline`` is for all tries together.

    ``health`` is what it came to: Healthy, Degraded (with the culprit in ``message``), or empty while that is open.
    """

    id: int = 0
    revision: str = ""
    phase: str = ""
    trigger: str = ""
    by: str = ""
    started: float = 0.0
    ended: float = 0.0
    deadline: float = 0.0
    tries: int = 0
    passing: bool = False
    message: str = ""
    health: str = ""
    set: str = ""

    def has_failed(self, revision: str) -> bool:
        """Whether it was about this revision, and failed to apply it."""
        return self.phase == FAILED and self.revision == revision

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "revision": self.revision, "phase": self.phase,
            "initiatedBy": {"trigger": self.trigger, "user": self.by},
            "startedAt": rfc3339_micro(self.started), "finishedAt": rfc3339_micro(self.ended),
            "deadline": rfc3339_micro(self.deadline), "tries": self.tries,
            "passing": self.passing, "message": self.message, "health": self.health,
            "set": self.set,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Operation:
        return cls(
            data["id"], data["revision"], data["phase"], data["initiatedBy"]["trigger"],
            data["initiatedBy"]["user"], parse_rfc3339(data["startedAt"]),
            parse_rfc3339(data["finishedAt"]), parse_rfc3339(data["deadline"]), data["tries"],
            data["passing"], data["message"], data["health"], data["set"],
        )  # fmt: skip


class Pin(NamedTuple):
    """A rollback in force: a recorded set is wanted in place of the source's revision ``source``, until that changes.

    It has not changed while it renders to ``source_set``: a commit elsewhere in the repository ends no rollback.
    So is a sync to another revision (``asked``: how that was named). Then ``id`` is 0 until its sync begins.
    """

    id: int
    revision: str
    set: str
    source: str
    since: float
    automatic: bool = False
    by: str = ""
    reason: str = ""
    begun: bool = False  # its sync has ended, well or not: from now on it is held like any revision
    asked: str = ""
    source_set: str = ""

    @property
    def message(self) -> str:
        """Say it to people."""
        ends = f"the source's {self.source} is not synced: a change of it or `reconciler sync` ends this"
        if self.asked:
            by = f" by {self.by}" if self.by else ""
            named = "" if self.revision == self.asked else f" ({self.asked})"
            return f"synced to {self.revision}{named} at {rfc3339(self.since)}{by}; {ends}"
        why = f": {self.reason}" if self.reason else f" by {self.by}" if self.by else ""
        how = "rolled back automatically" if self.automatic else "rolled back"
        return f"{how} to {self.revision} (history {self.id}) at {rfc3339(self.since)}{why}; {ends}"

    @property
    def condition(self) -> str:
        """The type of the condition that tells of it."""
        return "RevisionPinned" if self.asked else "RolledBack"

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "since": rfc3339_micro(self.since)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pin:
        return cls(**{**data, "since": parse_rfc3339(data["since"])})


class Answer(NamedTuple):
    """How a request was answered: whether it was taken up, and what else there is to say."""

    at: str = ""
    accepted: bool = True
    message: str = ""
    invalid: bool = False  # refused for what the source holds


@dataclass
class Standing:
    """What one Application's loop must remember. ``deployed`` is the revision that was synced last."""

    operation: Operation = Operation()  # noqa: RUF009 - immutable
    pin: Pin | None = None
    deployed: str = ""
    health: str = ""
    sync: Answer = Answer()  # noqa: RUF009 - immutable
    rollback: Answer = Answer()  # noqa: RUF009 - immutable
    refresh: Answer = Answer()  # noqa: RUF009 - immutable
    rollback_failed: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Standing:
        """Read it out of a status; what another version wrote otherwise is forgotten, not fatal."""
        found = cls(
            deployed=str(status.get("deployedRevision") or ""),
            health=str((status.get("health") or {}).get("status") or ""),
            shown=[row for row in status.get("history") or () if "id" in row],
            rollback_failed=str(status.get("rollbackFailed") or ""),
        )
        try:
            if status.get("operation"):
                found.operation = Operation.from_json(status["operation"])
            pin = status.get("rollback") or status.get("pinned")
            if pin:
                found.pin = Pin.from_json(pin)
            found.sync = Answer(**(status.get("lastSyncRequest") or {}))
            found.refresh = Answer(**(status.get("lastRefreshRequest") or {}))
            found.rollback = Answer(**(status.get("lastRollbackRequest") or {}))
        except (KeyError, TypeError, ValueError):
            return cls(deployed=found.deployed, health=found.health)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the fields of a status that hold it."""
        found: dict[str, Any] = {
            "deployedRevision": self.deployed,
            "operation": self.operation.to_json() if self.operation.id else None,
            "rollback": self.pin.to_json() if self.pin and not self.pin.asked else None,
            "pinned": self.pin.to_json() if self.pin and self.pin.asked else None,
            "rollbackFailed": self.rollback_failed,
            "lastRefreshRequest": self.refresh._asdict() if self.refresh.at else None,
            "lastSyncRequest": self.sync._asdict() if self.sync.at else None,
            "lastRollbackRequest": self.rollback._asdict() if self.rollback.at else None,
            "history": self.shown,
        }
        return {k: v for k, v in found.items() if v}

    def show(self, record: Record) -> None:
        """Put a record's short form in the status, or replace it."""
        row = {
            "id": record.id,
            "revision": record.revision,
            "initiatedBy": {"trigger": record.trigger, "user": record.by},
            "startedAt": rfc3339(record.started),
            "finishedAt": rfc3339(record.finished),
            "result": record.result,
            "message": record.message,
            "health": record.health,
        }
        kept = [r for r in self.shown if r["id"] != record.id]
        self.shown = sorted([*kept, row], key=lambda r: int(r["id"]))[-SHOWN_SYNCS:]

    @property
    def is_verified(self) -> bool:
        """Whether it is known what the last sync came to; also where there is none, or it failed."""
        return self.operation.phase != SUCCEEDED or bool(self.operation.health)
