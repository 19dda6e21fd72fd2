"""Deployments: roll ReplicaSets from one template to the next (``deployment-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds, selectors
from reconciler.api.decision import (
    NOTHING,
    Action,
    Create,
    Decision,
    Delete,
    Notice,
    Patch,
    UpdateStatus,
    Watch,
)
from reconciler.api.objects import (
    Key,
    annotations_of,
    controller_of,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_finished
from reconciler.controllers.deployment import rollout
from reconciler.controllers.deployment.annotations import (
    DESIRED,
    HISTORY,
    MAXIMUM,
    NOT_COPIED,
    REVISION,
    revision_of,
    with_revision,
)
from reconciler.controllers.deployment.status import (
    Rollout,
    complete,
    count,
    counts,
    not_created,
    replica_failure,
    with_conditions,
)
from reconciler.controllers.deployment.template import (
    HASH_LABEL,
    labelled,
    same_template,
    template_hash,
)
from reconciler.errors import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


class DeploymentController:
    """Plans Deployments: one ReplicaSet a template, scaled within maxSurge and maxUnavailable."""

    name = "deployment-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.DEPLOYMENT, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.REPLICA_SET, _deployments_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Decide for one Deployment: one step of its rollout at a time."""
        deployment = snapshot.get(kinds.DEPLOYMENT, key.namespace, key.name)
        if deployment is None or is_deleting(deployment):
            return NOTHING
        return _Plan(deployment, snapshot, now).decide()


def _deployments_of(rs: Object, snapshot: Snapshot) -> Iterator[Key]:
    ref = controller_of(rs)
    if ref is not None:
        if ref.get("kind") == "Deployment":
            yield Key("apps", "Deployment", namespace_of(rs), str(ref["name"]))
        return
    for deployment in snapshot.selecting(kinds.DEPLOYMENT, namespace_of(rs), labels_of(rs)):
        yield Key.of(deployment)


def _replicas(obj: Object) -> int:
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def _is_observed(rs: Object) -> bool:
    seen = int((rs.get("status") or {}).get("observedGeneration") or 0)
    return seen >= int(rs["metadata"].get("generation") or 0)


def _size(rs: Object) -> rollout.Size:
    return rollout.Size(name_of(rs), _replicas(rs), count([rs], "availableReplicas"))


class _Plan:
    """One planning of one Deployment."""

    def __init__(self, deployment: Object, snapshot: Snapshot, now: float) -> None:
        self.deployment = deployment
        self.snapshot = snapshot
        self.now = now
        self.spec = deployment["spec"]
        self.replicas = _replicas(deployment)
        strategy = self.spec.get("strategy") or {}
        self.recreate = strategy.get("type") == "Recreate"
        rolling = strategy.get("rollingUpdate") or {}
        self.limits = (
            rollout.Bounds(0, 0)
            if self.recreate
            else rollout.bounds(
                rolling.get("maxSurge"), rolling.get("maxUnavailable"), self.replicas
            )
        )
        self.adoptions: list[Action] = []
        self.sets = sorted(
            self._claim(),
            key=lambda rs: (rs["metadata"].get("creationTimestamp") or "", name_of(rs)),
        )
        template = self.spec["template"]
        self.new = next(
            (rs for rs in self.sets if same_template(rs["spec"]["template"], template)), None
        )
        self.old = [rs for rs in self.sets if rs is not self.new]

    def _claim(self) -> list[Object]:
        uid, namespace = uid_of(self.deployment), namespace_of(self.deployment)
        selector = self.spec.get("selector") or {}
        test = selectors.from_object(selector)
        found: list[Object] = []
        for rs in self.snapshot.owned(kinds.REPLICA_SET, uid):
            if (controller_of(rs) or {}).get("uid") != uid:
                continue
            if test.matches(labels_of(rs)):
                found.append(rs)
            elif not is_deleting(rs):
                refs = [r for r in rs["metadata"]["ownerReferences"] if r.get("uid") != uid]
                released = {"metadata": {"ownerReferences": refs or None}}
                self.adoptions.append(
                    Patch(kinds.REPLICA_SET, namespace, name_of(rs), released, uid=uid_of(rs))
                )
        labels = selector.get("matchLabels") or {}
        for rs in self.snapshot.matching(kinds.REPLICA_SET, namespace, labels):
            if controller_of(rs) or is_deleting(rs) or not test.matches(labels_of(rs)):
                continue
            refs = [*(rs["metadata"].get("ownerReferences") or ()), controller_ref(self.deployment)]
            patch = {"metadata": {"ownerReferences": refs}}
            self.adoptions.append(
                Patch(kinds.REPLICA_SET, namespace, name_of(rs), patch, uid=uid_of(rs))
            )
            found.append(rs)
        return found

    def decide(self) -> Decision:
        if self.adoptions:
            return self._decision(self.adoptions)
        steps = self._rescale()
        if not steps and self.spec.get("paused"):
            steps = self._clean_up()
        elif not steps:
            steps = self._recreate() if self.recreate else self._roll()
        return self._decision(steps)

    def _rescale(self) -> list[Action]:
        """Follow a change of spec.replicas before anything else (DP18, DP30)."""
        active = [rs for rs in self.sets if _replicas(rs) > 0]
        changed = any(
            annotations_of(rs).get(DESIRED, str(self.replicas)) != str(self.replicas)
            for rs in active
        )
        if not changed and not self.spec.get("paused"):
            return []
        if len(active) <= 1:
            only = active[0] if active else self.new
            if only is not None and (changed or _replicas(only) != self.replicas):
                return [self._scale(only, self.replicas)]
            return []
        if not changed or self.recreate:
            return []
        allowed = self.replicas + self.limits.surge if self.replicas else 0
        sizes = [
            (name_of(rs), _replicas(rs), int(annotations_of(rs).get(MAXIMUM) or 0)) for rs in active
        ]
        total = sum(size for _, size, _ in sizes)
        targets = rollout.proportional(sizes, allowed, newer_first=allowed > total)
        return [self._scale(rs, targets[name_of(rs)]) for rs in active]

    def _roll(self) -> list[Action]:
        if self.new is None:
            return self._make(rollout.grow(
                self.replicas, self.limits, rollout.Size("", 0, 0), [_size(rs) for rs in self.old]
            ))  # fmt: skip
        steps = self._renumber()
        new, old = _size(self.new), [_size(rs) for rs in self.old]
        target = rollout.grow(self.replicas, self.limits, new, old)
        if target != new.spec:
            return [*steps, self._scale(self.new, target)]
        less = rollout.shrink(self.replicas, self.limits, new, old)
        steps += [self._scale(rs, less[name_of(rs)]) for rs in self.old if name_of(rs) in less]
        return steps or self._clean_up()

    def _recreate(self) -> list[Action]:
        """All old Pods go and are gone before a new one comes (DP19)."""
        going = [self._scale(rs, 0) for rs in self.old if _replicas(rs) > 0]
        if going:
            return [*going]
        for rs in self.old:
            for pod in self.snapshot.owned(kinds.POD, uid_of(rs)):
                if not is_finished(pod):
                    return []
        if self.new is None:
            return self._make(self.replicas)
        if _replicas(self.new) != self.replicas:
            return [*self._renumber(), self._scale(self.new, self.replicas)]
        return self._renumber() or self._clean_up()

    def _next_revision(self) -> int:
        return max((revision_of(rs) for rs in self.old), default=0) + 1

    def _renumber(self) -> list[Action]:
        """Bring the new ReplicaSet's annotations up to date; a template that comes back gets the highest revision (DP11 to DP13)."""
        steps: list[Action] = []
        if self.new is None:
            return steps
        has = annotations_of(self.new)
        wanted = self._copied()
        number = revision_of(self.new)
        if number < self._next_revision():
            if number:
                wanted[HISTORY] = with_revision(has.get(HISTORY, ""), number)
            number = self._next_revision()
            wanted[REVISION] = str(number)
        patch: dict[str, Any] = {}
        changed = {k: v for k, v in wanted.items() if has.get(k) != v}
        if changed:
            patch["metadata"] = {"annotations": changed}
        ready = int(self.spec.get("minReadySeconds") or 0)
        if ready != int(self.new["spec"].get("minReadySeconds") or 0):
            patch["spec"] = {"minReadySeconds": ready}
        if patch:
            steps.append(self._patch(self.new, patch))
        if revision_of(self.deployment) != number:
            steps.append(self._annotate(number))
        return steps

    def _copied(self) -> dict[str, str]:
        """Return the Deployment's annotations that its new ReplicaSet carries too (DP11)."""
        found = annotations_of(self.deployment)
        return {k: v for k, v in found.items() if k not in NOT_COPIED}

    def _annotate(self, number: int) -> Patch:
        obj = self.deployment
        patch = {"metadata": {"annotations": {REVISION: str(number)}}}
        return Patch(kinds.DEPLOYMENT, namespace_of(obj), name_of(obj), patch, uid=uid_of(obj))

    @staticmethod
    def _patch(rs: Object, patch: dict[str, Any]) -> Patch:
        return Patch(kinds.REPLICA_SET, namespace_of(rs), name_of(rs), patch, uid=uid_of(rs))

    def _marks(self) -> dict[str, str]:
        return {DESIRED: str(self.replicas), MAXIMUM: str(self.replicas + self.limits.surge)}

    def _make(self, size: int) -> list[Action]:
        """Create the new ReplicaSet (DP07, DP08, DP11, DP12)."""
        status = self.deployment.get("status") or {}
        template = self.spec["template"]
        digest = template_hash(template, int(status.get("collisionCount") or 0))
        number = self._next_revision()
        selector = self.spec.get("selector") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        name = f"{name_of(self.deployment)[: 252 - len(digest)]}-{digest}"
        spec: dict[str, Any] = {
            "replicas": size,
            "selector": {
                **selector,
                "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest},
            },
            "template": labelled(template, digest),
        }
        if self.spec.get("minReadySeconds"):
            spec["minReadySeconds"] = self.spec["minReadySeconds"]
        rs = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": namespace_of(self.deployment),
                "labels": {**labels, HASH_LABEL: digest},
                "annotations": {**self._copied(), REVISION: str(number), **self._marks()},
                "ownerReferences": [controller_ref(self.deployment)],
            },
            "spec": spec,
        }
        message = f"Scaled up replica set {name} from 0 to {size}"
        notice = Notice(self.deployment, "Normal", "ScalingReplicaSet", message)
        return [
            Create(rs, notice if size else None),
            self._annotate(number),
        ]

    def _scale(self, rs: Object, size: int) -> Patch:
        patch = {"spec": {"replicas": size}, "metadata": {"annotations": self._marks()}}
        return self._patch(rs, patch)

    def _clean_up(self) -> list[Action]:
        """Forget the oldest ReplicaSets without Pods, once the rollout is over (DP29)."""
        status = counts(self.deployment, self.sets, self.new)
        if not (self.spec.get("paused") or complete(status, self.replicas)):
            return []
        limit = self.spec.get("revisionHistoryLimit")
        keep = 10 if limit is None else int(limit)
        alive = sorted((rs for rs in self.old if not is_deleting(rs)), key=revision_of)
        return [
            Delete(kinds.REPLICA_SET, namespace_of(rs), name_of(rs), uid=uid_of(rs))
            for rs in alive[: max(0, len(alive) - keep)]
            if _replicas(rs) == 0 and count([rs], "replicas") == 0 and _is_observed(rs)
        ]

    def _decision(self, steps: list[Action]) -> Decision:
        deployment = self.deployment
        made = next((step.obj for step in steps if isinstance(step, Create)), None)
        status, requeue = with_conditions(
            deployment,
            counts(deployment, self.sets, self.new),
            self.replicas,
            self.replicas - self.limits.unavailable,
            replica_failure(self.new, self.old),
            Rollout(
                f'ReplicaSet "{name_of(self.new)}"' if self.new
                else f'Deployment "{name_of(deployment)}"',
                name_of(made) if made else "", name_of(self.new) if self.new else "",
            ),
            self.now,
        )  # fmt: skip
        # The status goes first: its write is conditional on the Deployment as it was seen.
        write = () if status == (deployment.get("status") or {}) else (self._write(status),)

        def failed(action: Action, error: Exception) -> Decision:
            if not isinstance(action, Create):
                return NOTHING
            if isinstance(error, AlreadyExists):
                collisions = int(status.get("collisionCount") or 0) + 1
                return Decision((self._write({**status, "collisionCount": collisions}),))
            told = f'Failed to create new replica set "{name_of(action.obj)}": {error}'
            failure = not_created(status, told, self.now)
            notice = Notice(deployment, "Warning", "ReplicaSetCreateError", told)
            return Decision((self._write(failure),), (notice,))

        return Decision((*write, *steps), tuple(self._events(steps)), requeue, failed)

    def _write(self, status: dict[str, Any]) -> UpdateStatus:
        where = self.deployment
        return UpdateStatus(
            kinds.DEPLOYMENT, namespace_of(where), name_of(where), status, uid=uid_of(where)
        )

    def _events(self, steps: list[Action]) -> Iterator[Notice]:
        sizes = {name_of(rs): _replicas(rs) for rs in self.sets}
        for step in steps:
            if not isinstance(step, Patch) or "replicas" not in (step.patch.get("spec") or ()):
                continue
            before, after = sizes[step.name], step.patch["spec"]["replicas"]
            if before != after:
                way = "up" if after > before else "down"
                message = f"Scaled {way} replica set {step.name} from {before} to {after}"
                yield Notice(self.deployment, "Normal", "ScalingReplicaSet", message)
