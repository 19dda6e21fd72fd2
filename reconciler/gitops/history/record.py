"""One sync, as it is remembered."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import parse_rfc3339, rfc3339_micro

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUCCEEDED = "Succeeded"
FAILED = "Failed"
INTERRUPTED = "Interrupted"
RUNNING = "Running"
SKIPPED = "Skipped"

HEALTHY = "Healthy"
DEGRADED = "Degraded"


class Trigger(StrEnum):
    """What started a sync."""

    SOURCE = "source"  # a new revision that was looked for
    WEBHOOK = "webhook"  # a new revision that the server told of
    SPEC = "spec"  # the Application itself was changed
    DRIFT = "drift"  # somebody changed live objects
    USER = "user"  # `reconciler sync`
    REVISION = "revision"  # `reconciler sync --revision`
    ROLLBACK = "rollback"  # `reconciler rollback`
    AUTOMATIC_ROLLBACK = "automatic-rollback"  # rollbackOnFailure


class ObjectResult(NamedTuple):
    """What was done to one object. ``result``: Succeeded, Failed, or Skipped (what it comes after was not ready)."""

    group: str
    kind: str
    namespace: str
    name: str
    action: str
    result: str
    message: str = ""
    seconds: float = 0.0


class Record(NamedTuple):
    """One sync. Times are seconds since the epoch; ``set`` is the digest of what was rendered.

    ``id`` counts up within an Application; ``uid`` is the Application's. ``health`` is what it came to: Healthy, or
    Degraded where it did not become healthy in time; empty while that is not known.
    """

    id: int
    uid: str
    revision: str
    set: str
    trigger: str
    by: str
    started: float
    finished: float
    result: str
    message: str
    author: str = ""
    title: str = ""
    plan: Mapping[str, int] = {}
    objects: tuple[ObjectResult, ...] = ()
    health: str = ""
    tries: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return what ``history -o json`` prints and the file holds."""
        return {
            "id": self.id,
            "revision": self.revision,
            "author": self.author,
            "message": self.title,
            "initiatedBy": {"trigger": self.trigger, "user": self.by},
            "startedAt": rfc3339_micro(self.started),
            "finishedAt": rfc3339_micro(self.finished),
            "durationSeconds": round(self.finished - self.started, 6),
            "result": self.result,
            "resultMessage": self.message,
            "health": self.health,
            "tries": self.tries,
            "plan": dict(self.plan),
            "objects": [o._asdict() for o in self.objects],
            "set": self.set,
            "applicationUid": self.uid,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read it back. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is none."""
        by = data["initiatedBy"]
        return cls(
            int(data["id"]), data["applicationUid"], data["revision"], data["set"],
            by["trigger"], by["user"], parse_rfc3339(data["startedAt"]),
            parse_rfc3339(data["finishedAt"]), data["result"], data["resultMessage"],
            data["author"], data["message"], dict(data["plan"]),
            tuple(ObjectResult(**o) for o in data["objects"]), data["health"], int(data["tries"]),
        )  # fmt: skip


def find(records: Sequence[Record], wanted: str) -> list[Record]:
    """Return the records that a user may mean, the newest last: by id, else by revision or the beginning of one."""
    exact = [r for r in records if str(r.id) == wanted or r.revision == wanted]
    if exact or len(wanted) < 4:
        return exact
    return [r for r in records if r.revision.startswith(wanted)]


def before(records: Sequence[Record], current_set: str) -> Record | None:
    """Return the newest record of a good sync that rendered to something else: what to go back to."""
    good = [
        r for r in records
        if r.result == SUCCEEDED and r.set and r.set != current_set and r.health != DEGRADED
    ]  # fmt: skip
    healthy = [r for r in good if r.health == HEALTHY]
    best = healthy or good
    return best[-1] if best else None
