"""DaemonSets: a Pod on every Node that fits (``daemonset-controller``)."""

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
from reconciler.api.objects import (
    Key,
    controller_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import available_in, is_finished, is_ready
from reconciler.clock import left_of
from reconciler.controllers.batches import slow_start
from reconciler.controllers.daemonset import update
from reconciler.controllers.daemonset.nodes import Fit, fit, tolerations
from reconciler.controllers.job.backoff import finished_at
from reconciler.controllers.ownership import claim
from reconciler.controllers.pod_template import pod_of
from reconciler.controllers.revisions import REVISION_LABEL, History, revision_of
from reconciler.errors import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

_GENERATION = "pod-template-generation"
#: How long a Pod that has failed is left before another is made, in seconds: no hot loop.
RETRY = 10.0


class DaemonSetController:
    """Plans DaemonSets."""

    name = "daemonset-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.DAEMON_SET, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _sets_of),
            Watch(kinds.CONTROLLER_REVISION, _set_of_revision),
            Watch(kinds.NODE, _all_sets),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one DaemonSet; cost follows its Pods and the Nodes."""
        owner = snapshot.get(kinds.DAEMON_SET, key.namespace, key.name)
        if owner is None or is_deleting(owner):
            return NOTHING
        return _Plan(owner, snapshot, now).decide()


def _sets_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    ref = controller_of(pod)
    if ref is not None:
        if ref.get("kind") == "DaemonSet":
            yield Key("apps", "DaemonSet", namespace_of(pod), str(ref["name"]))
        return
    for owner in snapshot.selecting(kinds.DAEMON_SET, namespace_of(pod), labels_of(pod)):
        yield Key.of(owner)


def _set_of_revision(obj: Object, _: Snapshot) -> Iterator[Key]:
    ref = controller_of(obj)
    if ref is not None and ref.get("kind") == "DaemonSet":
        yield Key("apps", "DaemonSet", namespace_of(obj), str(ref["name"]))


def _all_sets(_: Object, snapshot: Snapshot) -> Iterator[Key]:
    for owner in snapshot.list(kinds.DAEMON_SET):
        yield Key.of(owner)


def node_of(pod: Object) -> str:
    """Return the Node a daemon's Pod is for: where it is, or where its affinity wants it."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


class _Plan:
    """One planning of one DaemonSet."""

    def __init__(self, owner: Object, snapshot: Snapshot, now: float) -> None:
        self.owner, self.now = owner, now
        self.spec = owner["spec"]
        self.strategy = self.spec.get("updateStrategy") or {}
        self.min_ready = int(self.spec.get("minReadySeconds") or 0)
        self.requeue: float | None = None
        self.events: list[Notice] = []
        self.claims, pods = claim(owner, snapshot)
        self.history = History(owner, snapshot, prefixed=False)
        self.revision = self.history.label(self.history.update)
        template = (self.spec.get("template") or {}).get("spec") or {}
        self.fits: dict[str, Fit] = {
            name_of(node): fit(template, node) for node in snapshot.list(kinds.NODE)
        }
        self.pods: dict[str, list[Object]] = {}
        for pod in sorted(pods, key=lambda p: (meta(p).get("creationTimestamp") or "", name_of(p))):
            self.pods.setdefault(node_of(pod), []).append(pod)
        wanted = sum(one.run for one in self.fits.values())
        self.limits = update.limits(self.strategy, wanted)
        self.rolls = self.strategy.get("type") != "OnDelete"

    def decide(self) -> Decision:
        status = self._status()
        record = self.history.record()
        steps: list[Action | tuple[Action, ...]] = []
        if status != (self.owner.get("status") or {}):
            steps.append(self._write(status))
        steps += self.claims
        steps += record or self._pods_to_change()
        if not record:
            pods = (pod for found in self.pods.values() for pod in found)
            steps += self.history.forget({revision_of(pod) for pod in pods})

        def failed(action: Action, error: Exception) -> Decision:
            if isinstance(action, Create) and isinstance(error, AlreadyExists):
                return Decision(
                    (self._write({**status, "collisionCount": self.history.collided()}),)
                )
            if isinstance(action, Create):
                told = f"Error creating: {error}"
                return Decision((), (Notice(self.owner, "Warning", "FailedCreate", told),))
            return NOTHING

        return Decision(tuple(steps), tuple(self.events), self.requeue, failed)

    def _write(self, status: dict[str, Any]) -> UpdateStatus:
        owner = self.owner
        return UpdateStatus(
            kinds.DAEMON_SET, namespace_of(owner), name_of(owner), status, uid=uid_of(owner)
        )

    def _wake(self, seconds: float) -> None:
        self.requeue = seconds if self.requeue is None else min(self.requeue, seconds)

    def _available(self, pod: Object | None) -> bool:
        if pod is None or is_deleting(pod):
            return False
        left = available_in(pod, self.min_ready, self.now)
        if left:
            self._wake(left)
        return left == 0

    # -- Pods ----------------------------------------------------------------------------------------------------

    def _pods_to_change(self) -> list[tuple[Action, ...]]:
        create, delete = self._manage()
        if self.rolls and not create and not delete:
            create, delete = self._roll()
        steps = slow_start([self._create(node) for node in create])
        if delete:
            steps.append(tuple(self._delete(pod) for pod in delete))
        return steps

    def _manage(self) -> tuple[list[str], list[Object]]:
        """Return the Nodes that lack a Pod, and the Pods that have no business where they are."""
        create: list[str] = []
        delete: list[Object] = []
        for node, one in self.fits.items():
            pods = self.pods.get(node, [])
            if not one.stay:
                delete += [pod for pod in pods if not is_deleting(pod)]
                continue
            finished = [pod for pod in pods if is_finished(pod)]
            delete += [pod for pod in finished if self._goes(pod)]
            alive = [pod for pod in pods if not is_finished(pod) and not is_deleting(pod)]
            delete += self._duplicates(alive)
            if one.run and not pods:
                create.append(node)
        delete += [
            pod
            for node in self.pods.keys() - self.fits.keys()
            for pod in self.pods[node]
            if not is_deleting(pod)
        ]
        return create, delete

    def _goes(self, pod: Object) -> bool:
        """Whether a Pod that has ended is deleted now, to be made anew."""
        if is_deleting(pod):
            return False
        left = left_of(RETRY, finished_at(pod), self.now)
        if left > 0:
            self._wake(left)
            return False
        told = f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node_of(pod)}, will try to kill it"
        self.events.append(Notice(self.owner, "Warning", "FailedDaemonPod", told))
        return True

    def _duplicates(self, pods: list[Object]) -> list[Object]:
        """Keep the oldest; in an update with a surge, the oldest of each template."""
        if not self.limits.surge:
            return pods[1:]
        new = [pod for pod in pods if revision_of(pod) == self.revision]
        old = [pod for pod in pods if revision_of(pod) != self.revision]
        return new[1:] + old[1:]

    def _roll(self) -> tuple[list[str], list[Object]]:
        places = [self._place(node) for node, one in self.fits.items() if one.run]
        if self.limits.surge:
            return update.to_surge(places, self.limits.surge)
        return [], update.to_delete(places, self.limits.unavailable)

    def _place(self, node: str) -> update.Place:
        new = old = None
        for pod in self.pods.get(node, ()):
            if is_deleting(pod) or is_finished(pod):
                continue
            if revision_of(pod) == self.revision:
                new = pod
            else:
                old = pod
        return update.Place(node, new, self._available(new), old, self._available(old))

    def _create(self, node: str) -> Create:
        pod = pod_of(self.owner)
        about = pod["metadata"]
        generation = str(meta(self.owner).get("generation") or 1)
        about["labels"] = {
            **(about.get("labels") or {}),
            REVISION_LABEL: self.revision,
            _GENERATION: generation,
        }
        spec = dict(pod["spec"])
        spec["affinity"] = _bound_to(node, spec.get("affinity") or {})
        spec["tolerations"] = tolerations(spec)
        pod["spec"] = spec
        return Create(pod, Notice(self.owner, "Normal", "SuccessfulCreate", "Created pod: {name}"))

    def _delete(self, pod: Object) -> Delete:
        told = f"Deleted pod: {name_of(pod)}"
        self.events.append(Notice(self.owner, "Normal", "SuccessfulDelete", told))
        return Delete(kinds.POD, namespace_of(pod), name_of(pod), uid=uid_of(pod))

    # -- status --------------------------------------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        desired = current = ready = available = updated = misscheduled = 0
        for node, one in self.fits.items():
            pods = [pod for pod in self.pods.get(node, ()) if not is_deleting(pod)]
            if not one.run:
                misscheduled += bool(pods)
                continue
            desired += 1
            current += bool(pods)
            ready += any(is_ready(pod) for pod in pods)
            available += any(self._available(pod) for pod in pods)
            updated += any(revision_of(pod) == self.revision for pod in pods)
        status: dict[str, Any] = {
            "currentNumberScheduled": current,
            "desiredNumberScheduled": desired,
            "numberMisscheduled": misscheduled,
            "numberReady": ready,
            "observedGeneration": int(meta(self.owner).get("generation") or 0),
        }
        counts = {
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": desired - available,
        }
        status |= {field: number for field, number in counts.items() if number}
        old = self.owner.get("status") or {}
        if old.get("collisionCount"):
            status["collisionCount"] = old["collisionCount"]
        return status


def _bound_to(node: str, affinity: dict[str, Any]) -> dict[str, Any]:
    """Return an affinity that leaves one Node: the template's own was asked when the Node was chosen."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    inner = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": required,
    }
    return {**affinity, "nodeAffinity": inner}
