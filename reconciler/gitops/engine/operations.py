"""One sync over all its tries, and what it comes to: applied, healthy within the deadline, or who is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.api import kinds
from reconciler.gitops import health as healths
from reconciler.gitops.engine import culprit as culprits
from reconciler.gitops.engine.outcomes import OutcomeKind
from reconciler.gitops.engine.policy.retrying import Failure, next_try
from reconciler.gitops.engine.recording import record_of
from reconciler.gitops.engine.standing import Operation
from reconciler.gitops.engine.syncing import Synced
from reconciler.gitops.history import Trigger
from reconciler.gitops.history.record import (
    DEGRADED,
    FAILED,
    HEALTHY,
    INTERRUPTED,
    RUNNING,
    SUCCEEDED,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.policy import Policy
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.recording import Recording
    from reconciler.gitops.engine.shared import Shared
    from reconciler.gitops.engine.standing import Standing
    from reconciler.gitops.engine.syncing import Syncer
    from reconciler.gitops.plan import Plan

Judged = tuple["Key", "Object | None", healths.Health]

#: So many of a culprit's last log lines are told, each cut after so many characters.
TOLD_LINES = 3
LONGEST_LINE = 200


class Tell(Protocol):
    """Tells of an outcome; ``reason`` makes an Event of it."""

    def __call__(
        self,
        kind: OutcomeKind,
        severity: str,
        reason: str,
        message: str,
        seconds: float | None = None,
        /,
    ) -> None: ...


class Operations:
    """Runs and judges one Application's syncs."""

    def __init__(self, shared: Shared, recording: Recording, syncer: Syncer, tell: Tell) -> None:
        self._shared = shared
        self._recording = recording
        self._syncer = syncer
        self._tell = tell

    async def sync(
        self,
        standing: Standing,
        found: Plan,
        reading: Reading,
        policy: Policy,
        trigger: Trigger,
        by: str,
        uid: str,
    ) -> Synced:
        """Apply a plan, as a new sync or as another try of the one that failed; the outcome stands in ``standing``."""
        clock = self._shared.clock
        operation = await self._begin(standing, reading, policy, trigger, by, uid)
        standing.operation = operation
        if standing.pin is not None and not standing.pin.id:
            standing.pin = standing.pin._replace(id=operation.id)
        self._tell(OutcomeKind.STARTED, "", "", f"syncing to {reading.revision}")
        begun = clock.monotonic()
        left = max(operation.deadline - clock.now(), 0.0)
        synced = await self._syncer.sync(found, reading.wanted, begun + left)
        seconds = clock.monotonic() - begun
        operation = operation._replace(
            ended=clock.now(), message=synced.message, phase=SUCCEEDED, health=""
        )
        if synced.interrupted:
            operation = operation._replace(phase=INTERRUPTED)
        elif synced.failed:
            operation = operation._replace(phase=FAILED, passing=synced.passing)
            operation = operation._replace(message=await self._why(operation, reading, synced))
            self._tell(OutcomeKind.FAILED, "Warning", "SyncFailed", operation.message, seconds)
        else:
            standing.deployed = reading.revision
            told = f"{synced.message} at {reading.revision}"
            self._tell(OutcomeKind.SUCCEEDED, "Normal", "Synced", told, seconds)
        standing.operation = operation
        record = record_of(operation, uid, reading, synced)
        standing.show(record)
        await self._recording.add(record, policy.retention, standing.pin.id if standing.pin else 0)
        return synced

    async def nothing(
        self, standing: Standing, reading: Reading, policy: Policy, by: str, uid: str
    ) -> None:
        """Record a sync that somebody asked for and that had nothing to do."""
        operation = await self._begin(standing, reading, policy, Trigger.USER, by, uid)
        operation = operation._replace(phase=SUCCEEDED, message="nothing to do")
        standing.operation = operation
        record = record_of(operation, uid, reading, Synced([], interrupted=False))
        standing.show(record)
        await self._recording.add(record, policy.retention, standing.pin.id if standing.pin else 0)

    async def _begin(
        self,
        standing: Standing,
        reading: Reading,
        policy: Policy,
        trigger: Trigger,
        by: str,
        uid: str,
    ) -> Operation:
        now, old = self._shared.clock.now(), standing.operation
        digest = await self._recording.keep_set(reading)
        if old.has_failed(reading.revision) and trigger in ("source", "spec", "drift"):
            # What may pass by itself must not use up the time of the sync that comes after it.
            deadline = now + policy.timeout if old.passing else old.deadline
            return old._replace(tries=old.tries + 1, deadline=deadline, set=digest)
        number = max(await self._recording.next_id(uid), old.id + 1)
        return Operation(
            number, reading.revision, RUNNING, str(trigger), by, now, now, now + policy.timeout,
            tries=1, set=digest,
        )  # fmt: skip

    def came_right(self, standing: Standing, revision: str) -> None:
        """Nothing differs any more, though a sync had failed, or had no end: judge it anew."""
        operation = standing.operation
        if operation.has_failed(revision) or operation.phase in (RUNNING, INTERRUPTED):
            limit = operation.deadline - operation.started
            standing.operation = operation._replace(
                phase=SUCCEEDED, revision=revision, health="",
                deadline=self._shared.clock.now() + limit,
            )  # fmt: skip

    @staticmethod
    def look_at(standing: Standing) -> float | None:
        """Return when to look whether the last sync has become healthy in time."""
        return None if standing.is_verified else standing.operation.deadline

    async def verify(
        self,
        standing: Standing,
        reading: Reading,
        policy: Policy,
        judged: Sequence[Judged],
        uid: str,
    ) -> str:
        """Judge the last sync; returns why it has failed for good, empty while it has not."""
        operation = standing.operation
        if operation.revision != reading.revision:
            return ""
        if operation.phase == FAILED:
            failure = Failure("", operation.tries, operation.ended, operation.passing)
            again = next_try(policy.retry, failure, operation.deadline)
            return operation.message if again is None else ""
        if operation.phase != SUCCEEDED or operation.health == HEALTHY:
            return ""
        judged = [j for j in judged if not _waits_for_consumer(j[0], j[2])]
        worst = healths.worst([h for _, _, h in judged])
        if worst.status in (healths.HEALTHY, healths.SUSPENDED):
            await self._judge(standing, policy, HEALTHY, operation.message, uid)
            return ""
        if operation.health == DEGRADED:
            return operation.message
        late = self._shared.clock.now() >= operation.deadline
        if not late and not any(_is_final(key, h) for key, _, h in judged):
            return ""
        message = await self._blame(judged)
        took = self._shared.clock.now() - operation.started
        told = f"not healthy {took:.0f} s after the sync to {operation.revision} began: {message}"
        await self._judge(standing, policy, DEGRADED, told, uid)
        self._tell(OutcomeKind.FAILED, "Warning", "NotHealthy", told, took)
        return told

    async def _judge(
        self, standing: Standing, policy: Policy, health: str, message: str, uid: str
    ) -> None:
        standing.operation = standing.operation._replace(health=health, message=message)
        records = await self._recording.records(uid)
        record = next((r for r in records if r.id == standing.operation.id), None)
        if record is not None:
            record = record._replace(health=health, message=message)
            standing.show(record)
            pinned = standing.pin.id if standing.pin else 0
            await self._recording.add(record, policy.retention, pinned)

    async def _why(self, operation: Operation, reading: Reading, synced: Synced) -> str:
        """Return why a sync failed: with what its hook said last, or where its time ran out with who held it up."""
        said = await self._said_by_hooks(synced)
        if said or self._shared.clock.now() < operation.deadline:
            return "\n".join([operation.message, *said])
        find = self._shared.cache.snapshot.get
        judged = [
            (key, live, healths.health(live))
            for key, wanted in reading.wanted.items()
            if self._shared.cache.follows(wanted.kind)
            and (live := find(wanted.kind, key.namespace, key.name)) is not None
        ]
        blamed = await self._blame(judged)
        return f"{operation.message} ({blamed})" if blamed else operation.message

    async def _said_by_hooks(self, synced: Synced) -> list[str]:
        """Return who of a failed hook's Pods is to blame, and the last lines of its log."""
        for result in synced.failed:
            key = result.change.key
            kind = kinds.lookup(key.group, key.kind)
            if result.change.action != "hook" or not result.started or kind is None:
                continue
            if not self._shared.cache.follows(kind):
                continue
            live = self._shared.cache.snapshot.get(kind, key.namespace, key.name)
            if live is not None:
                return (await self._blame([(key, live, healths.health(live))])).splitlines()
        return []

    async def _blame(self, judged: Sequence[Judged]) -> str:
        found = culprits.find_culprit(judged, self._shared.cache.snapshot)
        if found is None:
            return ""
        lines: list[str] = []
        if found.pod:
            lines = await self._shared.tail(
                found.key.namespace, found.pod, found.container, TOLD_LINES
            )
        return "\n".join([str(found), *(f"| {line[:LONGEST_LINE]}" for line in lines)])


def _waits_for_consumer(key: Key, health: healths.Health) -> bool:
    """Whether an object will not go further before somebody uses it: a claim that no Pod mounts stays unbound for ever."""
    return key.kind == "PersistentVolumeClaim" and health.status == healths.PROGRESSING


def _is_final(key: Key, health: healths.Health) -> bool:
    """Whether waiting longer is no use. A Job or a rollout that failed has.

    A Pod that crashes may come up yet, and an autoscaler gets its figures only once Pods have run for a while.
    """
    return health.status == healths.DEGRADED and key.kind not in ("Pod", "HorizontalPodAutoscaler")
