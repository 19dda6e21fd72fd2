"""StatefulSets: Pods with ordinals, one after another, each with its claims (``statefulset-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import (
    NOTHING,
    Action,
    Create,
    Decision,
    Delete,
    Notice,
    UpdateStatus,
    Watch,
)
from reconciler.api.int_or_string import scaled
from reconciler.api.objects import (
    Key,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import available_in, is_finished, is_ready, phase
from reconciler.controllers.batches import slow_start
from reconciler.controllers.ownership import claim
from reconciler.controllers.revisions import History, revision_of
from reconciler.controllers.statefulset import claims
from reconciler.controllers.statefulset.pods import ordinal_of, ordinal_pod
from reconciler.errors import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


class StatefulSetController:
    """Plans StatefulSets."""

    name = "statefulset-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.STATEFUL_SET, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _sets_of),
            Watch(kinds.CONTROLLER_REVISION, _set_of),
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, _sets_matching),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one StatefulSet: its next step, and its status as it is now."""
        owner = snapshot.get(kinds.STATEFUL_SET, key.namespace, key.name)
        if owner is None or is_deleting(owner):
            return NOTHING
        return _Plan(owner, snapshot, now).decide()


def _set_of(obj: Object, _: Snapshot) -> Iterator[Key]:
    ref = controller_of(obj)
    if ref is not None and ref.get("kind") == "StatefulSet":
        yield Key("apps", "StatefulSet", namespace_of(obj), str(ref["name"]))


def _sets_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    if controller_of(pod) is None:
        yield from _sets_matching(pod, snapshot)
    else:
        yield from _set_of(pod, snapshot)


def _sets_matching(obj: Object, snapshot: Snapshot) -> Iterator[Key]:
    for owner in snapshot.selecting(kinds.STATEFUL_SET, namespace_of(obj), labels_of(obj)):
        yield Key.of(owner)


class _Plan:
    """One planning of one StatefulSet."""

    def __init__(self, owner: Object, snapshot: Snapshot, now: float) -> None:
        self.owner, self.snapshot, self.now = owner, snapshot, now
        spec = self.spec = owner["spec"]
        self.replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
        self.start = int((spec.get("ordinals") or {}).get("start") or 0)
        self.wanted = range(self.start, self.start + self.replicas)
        self.parallel = spec.get("podManagementPolicy") == "Parallel"
        self.strategy = spec.get("updateStrategy") or {}
        self.min_ready = int(spec.get("minReadySeconds") or 0)
        self.requeue: float | None = None
        self.adoptions, pods = claim(
            owner, snapshot, fits=lambda pod: ordinal_of(owner, pod) is not None
        )
        found = ((ordinal_of(owner, pod), pod) for pod in pods)
        self.pods = {ordinal: pod for ordinal, pod in found if ordinal is not None}
        self.history = History(owner, snapshot, prefixed=True)
        self.update = self.history.update
        self.old = owner.get("status") or {}
        self.current = str(self.old.get("currentRevision") or self.update)

    def decide(self) -> Decision:
        status = self._status()
        steps: list[Action | tuple[Action, ...]] = []
        if status != self.old:
            steps.append(self._write(status))
        steps += self.adoptions
        steps += self.history.record()
        steps += self.history.forget(
            {self.current, self.update, *(revision_of(pod) for pod in self.pods.values())}
        )
        steps += self._retain()
        pods = self._step()
        steps += pods
        return Decision(tuple(steps), tuple(self._events(pods)), self.requeue, self._failed)

    def _write(self, status: dict[str, Any]) -> UpdateStatus:
        owner = self.owner
        return UpdateStatus(
            kinds.STATEFUL_SET, namespace_of(owner), name_of(owner), status, uid_of(owner)
        )

    def _failed(self, action: Action, error: Exception) -> Decision:
        if not isinstance(action, Create):
            return NOTHING
        if action.obj["kind"] == "ControllerRevision" and isinstance(error, AlreadyExists):
            return Decision(
                (self._write({**self._status(), "collisionCount": self.history.collided()}),)
            )
        what = f"{action.obj['kind']} {name_of(action.obj)}"
        told = f"create {what} in StatefulSet {name_of(self.owner)} failed error: {error}"
        return Decision((), (Notice(self.owner, "Warning", "FailedCreate", told),))

    def _events(self, steps: list[Action | tuple[Action, ...]]) -> Iterator[Notice]:
        for step in steps:
            for action in (step,) if isinstance(step, Action) else step:
                if isinstance(action, Delete):
                    told = (
                        f"delete Pod {action.name} in StatefulSet {name_of(self.owner)} successful"
                    )
                    yield Notice(self.owner, "Normal", "SuccessfulDelete", told)

    # -- Pods ----------------------------------------------------------------------------------------------------

    def _available(self, pod: Object) -> bool:
        left = available_in(pod, self.min_ready, self.now)
        if left:
            self.requeue = left if self.requeue is None else min(left, self.requeue)
        return left == 0 and self._healthy(pod)

    @staticmethod
    def _healthy(pod: Object) -> bool:
        return phase(pod) == "Running" and is_ready(pod) and not is_deleting(pod)

    def _retain(self) -> Iterator[Action]:
        """Keep the claims' owners as the retention policy wants them (SS22, SS23)."""
        for ordinal, pod in self.pods.items():
            yield from claims.with_owners(
                self.owner, pod, ordinal, self.snapshot, condemned=ordinal not in self.wanted
            )

    def _step(self) -> list[Action | tuple[Action, ...]]:
        return self._step_all() if self.parallel else [*self._step_in_order()]

    def _step_all(self) -> list[Action | tuple[Action, ...]]:
        """Parallel: everything at once, but for updates (SS08)."""
        steps: list[Action] = []
        for ordinal in self.wanted:
            steps += self._replica(ordinal)
        condemned = [n for n in self.pods if n not in self.wanted]
        steps += [
            self._delete(self.pods[n])
            for n in sorted(condemned, reverse=True)
            if not is_deleting(self.pods[n])
        ]
        return [*slow_start(steps)] if steps else [*self._roll()]

    def _step_in_order(self) -> list[Action]:
        """OrderedReady: the next only when the one before is available (SS05, SS06, SS07, SS10)."""
        for ordinal in self.wanted:
            steps = self._replica(ordinal)
            pod = self.pods.get(ordinal)
            if steps or pod is None or not self._available(pod):
                return steps
        condemned = sorted((n for n in self.pods if n not in self.wanted), reverse=True)
        if not condemned:
            return self._roll()
        # The first that is unwell may go, since nobody waits for it; another waits until those below are well.
        last = self.pods[condemned[0]]
        unwell = [n for n in reversed(condemned) if not self._healthy(self.pods[n])]
        if is_deleting(last) or (not self._available(last) and unwell[:1] != condemned[:1]):
            return []
        return [self._delete(last)]

    def _replica(self, ordinal: int) -> list[Action]:
        """Bring one ordinal nearer to a Pod that runs (SS07, SS09, SS20)."""
        pod = self.pods.get(ordinal)
        if pod is None:
            return [*claims.missing(self.owner, ordinal, self.snapshot), self._create(ordinal)]
        if is_deleting(pod):
            return []
        if is_finished(pod):
            return [self._delete(pod)]
        if phase(pod) == "Pending":
            return claims.missing(self.owner, ordinal, self.snapshot)
        return []

    def _roll(self) -> list[Action]:
        """From the highest ordinal to the partition (SS11 to SS16)."""
        if self.strategy.get("type") == "OnDelete":
            return []
        rolling = self.strategy.get("rollingUpdate") or {}
        first = self.start + int(rolling.get("partition") or 0)
        targets = [n for n in reversed(self.wanted) if n >= first]
        if rolling.get("maxUnavailable") is not None:
            return self._roll_several(targets, rolling["maxUnavailable"])
        for ordinal in targets:
            pod = self.pods.get(ordinal)
            if pod is None:
                return []
            if revision_of(pod) != self.update and not is_deleting(pod):
                return [self._delete(pod)]
            if not self._available(pod):
                return []
        return []

    def _roll_several(self, targets: list[int], most: int | str) -> list[Action]:
        allowed = max(1, scaled(most, self.replicas, round_up=False))
        gone = sum(n not in self.pods or not self._available(self.pods[n]) for n in self.wanted)
        outdated = [
            self.pods[n]
            for n in targets
            if n in self.pods
            and revision_of(self.pods[n]) != self.update
            and not is_deleting(self.pods[n])
        ]
        return [self._delete(pod) for pod in outdated[: max(0, allowed - gone)]]

    @staticmethod
    def _delete(pod: Object) -> Delete:
        return Delete(kinds.POD, namespace_of(pod), name_of(pod), uid=uid_of(pod))

    def _create(self, ordinal: int) -> Create:
        revision, template = self.update, self.spec["template"]
        if self._stays_old(ordinal) and self.current != self.update:
            kept = self.history.template(self.current)
            if kept is not None:
                revision, template = self.current, kept
        pod = ordinal_pod(self.owner, ordinal, revision, template)
        told = f"create Pod {name_of(pod)} in StatefulSet {name_of(self.owner)} successful"
        return Create(pod, Notice(self.owner, "Normal", "SuccessfulCreate", told))

    def _stays_old(self, ordinal: int) -> bool:
        """Whether an ordinal comes back at the current revision: below the partition (SS12), or not rolled yet (SS02)."""
        if self.strategy.get("type") == "OnDelete":
            return False
        rolling = self.strategy.get("rollingUpdate")
        if rolling is None:
            return ordinal < self.start + self._count(self.current)
        return ordinal < self.start + int(rolling.get("partition") or 0)

    # -- status --------------------------------------------------------------------------------------------------

    def _count(self, revision: str) -> int:
        pods = self.pods.values()
        return sum(revision_of(pod) == revision and not is_deleting(pod) for pod in pods)

    def _status(self) -> dict[str, Any]:
        """Count (SS19); a finished rollout makes the new revision the current one."""
        pods = list(self.pods.values())
        ready = sum(is_ready(pod) for pod in pods)
        updated, current = self._count(self.update), self._count(self.current)
        done = updated == ready == len(pods) == self.replicas
        rolls = self.strategy.get("type") != "OnDelete"
        revision = self.update if done and rolls else self.current
        counts = {
            "currentReplicas": updated if revision == self.update else current,
            "updatedReplicas": updated,
            "readyReplicas": ready,
        }
        status: dict[str, Any] = {
            "replicas": len(pods),
            "availableReplicas": sum(self._available(pod) for pod in pods),
            "currentRevision": revision,
            "updateRevision": self.update,
            "observedGeneration": int(self.owner["metadata"].get("generation") or 0),
            "collisionCount": int(self.old.get("collisionCount") or 0),
        }
        return status | {field: number for field, number in counts.items() if number}
