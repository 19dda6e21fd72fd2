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
from reconciler.api.objects import (
    Key,
    controller_of,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import available_in, is_active, is_finished, is_ready
from reconciler.controllers.deployment.template import template_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

REVISION_LABEL = "controller-revision-hash"
_POD_NAME = "statefulset.kubernetes.io/pod-name"
_POD_INDEX = "apps.kubernetes.io/pod-index"


class StatefulSetController:
    """Plans StatefulSets."""

    name = "statefulset-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.STATEFUL_SET, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _set_of),
            Watch(kinds.CONTROLLER_REVISION, _set_of),
            Watch(kinds.PERSISTENT_VOLUME_CLAIM, lambda _obj, _snapshot: ()),
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


def ordinal_of(owner: Object, pod: Object) -> int | None:
    """Return the number at the end of a Pod's name, or None if it is no Pod of this set's making."""
    prefix, _, number = name_of(pod).rpartition("-")
    return int(number) if prefix == name_of(owner) and number.isdigit() else None


class _Plan:
    """One planning of one StatefulSet."""

    def __init__(self, owner: Object, snapshot: Snapshot, now: float) -> None:
        self.owner, self.snapshot, self.now = owner, snapshot, now
        spec = self.spec = owner["spec"]
        self.replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
        self.start = int((spec.get("ordinals") or {}).get("start") or 0)
        self.parallel = spec.get("podManagementPolicy") == "Parallel"
        self.strategy = spec.get("updateStrategy") or {}
        self.min_ready = int(spec.get("minReadySeconds") or 0)
        self.requeue: float | None = None
        self.pods: dict[int, Object] = {}
        for pod in snapshot.owned(kinds.POD, uid_of(owner)):
            ordinal = ordinal_of(owner, pod)
            if ordinal is not None and namespace_of(pod) == namespace_of(owner):
                self.pods[ordinal] = pod
        self.revisions = sorted(
            snapshot.owned(kinds.CONTROLLER_REVISION, uid_of(owner)),
            key=lambda r: (int(r.get("revision") or 0), name_of(r)),
        )
        status = owner.get("status") or {}
        self.data = {"spec": {"template": {**spec["template"], "$patch": "replace"}}}
        found = [r for r in self.revisions if r.get("data") == self.data]
        self.made = found[-1] if found else None
        digest = template_hash(spec["template"], int(status.get("collisionCount") or 0))
        self.update = name_of(self.made) if self.made else f"{name_of(owner)}-{digest}"
        self.current = str(status.get("currentRevision") or self.update)

    def decide(self) -> Decision:
        status = self._status()
        steps: list[Action] = [*self._revise(), *self._step()]
        owner = self.owner
        write: tuple[Action, ...] = ()
        if status != (owner.get("status") or {}):
            write = (
                UpdateStatus(
                    kinds.STATEFUL_SET, namespace_of(owner), name_of(owner), status, uid_of(owner)
                ),
            )
        events = tuple(
            Notice(
                owner, "Normal", "SuccessfulDelete",
                f"delete Pod {step.name} in StatefulSet {name_of(owner)} successful",
            )
            for step in steps
            if isinstance(step, Delete) and step.kind == kinds.POD
        )  # fmt: skip
        return Decision((*write, *steps), events, self.requeue)

    def _revise(self) -> Iterator[Action]:
        """Record the template, and forget the oldest ones that nothing uses (SS17, SS18)."""
        newest = int(self.revisions[-1].get("revision") or 0) if self.revisions else 0
        if self.made is None:
            yield Create(
                {
                    "apiVersion": "apps/v1",
                    "kind": "ControllerRevision",
                    "metadata": {
                        "name": self.update,
                        "namespace": namespace_of(self.owner),
                        "labels": {**labels_of(self.owner), REVISION_LABEL: self.update},
                        "ownerReferences": [controller_ref(self.owner)],
                    },
                    "data": self.data,
                    "revision": newest + 1,
                }
            )
        live = {self.current, self.update, *(_revision(pod) for pod in self.pods.values())}
        idle = [r for r in self.revisions if name_of(r) not in live]
        limit = self.spec.get("revisionHistoryLimit")
        for old in idle[: max(0, len(idle) - (10 if limit is None else int(limit)))]:
            yield Delete(
                kinds.CONTROLLER_REVISION, namespace_of(old), name_of(old), uid=uid_of(old)
            )

    def _available(self, pod: Object) -> bool:
        left = available_in(pod, self.min_ready, self.now)
        if left:
            self.requeue = left if self.requeue is None else min(left, self.requeue)
        return left == 0 and is_active(pod)

    def _step(self) -> list[Action]:
        wanted = range(self.start, self.start + self.replicas)
        steps: list[Action] = []
        for ordinal in wanted:  # SS05, SS07, SS09, SS10
            pod = self.pods.get(ordinal)
            if pod is None:
                steps += self._create(ordinal)
            elif is_finished(pod) and not is_deleting(pod):
                steps.append(self._delete(pod))
            elif not is_deleting(pod) and not is_ready(pod):
                steps += self._claims(ordinal)  # SS20: made again while the Pod waits
            if not self.parallel and (steps or pod is None or not self._available(pod)):
                return steps
        condemned = sorted((n for n in self.pods if n not in wanted), reverse=True)  # SS06
        for ordinal in condemned:
            pod = self.pods[ordinal]
            if not is_deleting(pod):
                steps.append(self._delete(pod))
            if not self.parallel:
                return steps
        return steps or self._roll(wanted)

    def _roll(self, wanted: range) -> list[Action]:
        """From the highest ordinal to the partition, one at a time (SS11 to SS15)."""
        if self.strategy.get("type") == "OnDelete":
            return []
        partition = int((self.strategy.get("rollingUpdate") or {}).get("partition") or 0)
        for ordinal in reversed(range(self.start + partition, wanted.stop)):
            pod = self.pods.get(ordinal)
            if pod is None:
                return []
            if _revision(pod) != self.update and not is_deleting(pod):
                return [self._delete(pod)]
            if not self._available(pod):
                return []
        return []

    @staticmethod
    def _delete(pod: Object) -> Delete:
        return Delete(kinds.POD, namespace_of(pod), name_of(pod), uid=uid_of(pod))

    def _create(self, ordinal: int) -> list[Action]:
        revision, template = self.update, self.spec["template"]
        rolling = self.strategy.get("rollingUpdate") or {}
        below = ordinal < self.start + int(rolling.get("partition") or 0)
        if below and self.current != self.update:
            old = next((r for r in self.revisions if name_of(r) == self.current), None)
            if old is not None:
                kept = old["data"]["spec"]["template"]
                template = {k: v for k, v in kept.items() if k != "$patch"}
                revision = self.current
        name = f"{name_of(self.owner)}-{ordinal}"
        about, spec = template.get("metadata") or {}, dict(template.get("spec") or {})
        spec["hostname"] = name
        if self.spec.get("serviceName"):
            spec["subdomain"] = self.spec["serviceName"]
        templates = self.spec.get("volumeClaimTemplates") or ()
        mounted = {name_of(t): self._claim_name(t, ordinal) for t in templates}
        volumes = [v for v in spec.get("volumes") or () if v.get("name") not in mounted]
        volumes += [
            {"name": volume, "persistentVolumeClaim": {"claimName": claim}}
            for volume, claim in mounted.items()
        ]
        if volumes:
            spec["volumes"] = volumes
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": namespace_of(self.owner),
            "labels": {
                **(about.get("labels") or {}),
                _POD_NAME: name,
                _POD_INDEX: str(ordinal),
                REVISION_LABEL: revision,
            },
            "ownerReferences": [controller_ref(self.owner)],
        }
        if about.get("annotations"):
            metadata["annotations"] = about["annotations"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        message = f"create Pod {name} in StatefulSet {name_of(self.owner)} successful"
        notice = Notice(self.owner, "Normal", "SuccessfulCreate", message)
        return [*self._claims(ordinal), Create(pod, notice)]

    def _claim_name(self, template: Object, ordinal: int) -> str:
        return f"{name_of(template)}-{name_of(self.owner)}-{ordinal}"

    def _claims(self, ordinal: int) -> list[Action]:
        """Create the claims that are missing; those that exist are used as they are (SS20 to SS22)."""
        policy = self.spec.get("persistentVolumeClaimRetentionPolicy") or {}
        namespace = namespace_of(self.owner)
        steps: list[Action] = []
        for template in self.spec.get("volumeClaimTemplates") or ():
            name = self._claim_name(template, ordinal)
            if self.snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace, name) is not None:
                continue
            selected = (self.spec.get("selector") or {}).get("matchLabels") or {}
            metadata: dict[str, Any] = {
                "name": name,
                "namespace": namespace,
                "labels": {**labels_of(template), **selected},
            }
            if (template["metadata"]).get("annotations"):
                metadata["annotations"] = template["metadata"]["annotations"]
            if policy.get("whenDeleted") == "Delete":
                metadata["ownerReferences"] = [controller_ref(self.owner)]
            claim = {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": template["spec"],
            }
            steps.append(Create(claim))
        return steps

    def _status(self) -> dict[str, Any]:
        """Count (SS19); a finished rollout makes the new revision the current one."""
        old = self.owner.get("status") or {}
        pods = list(self.pods.values())
        active = [pod for pod in pods if not is_deleting(pod)]
        ready = sum(is_ready(pod) for pod in pods)
        updated = sum(_revision(pod) == self.update for pod in active)
        current = sum(_revision(pod) == self.current for pod in active)
        done = updated == ready == len(pods) == self.replicas
        revision = self.update if done and self.strategy.get("type") != "OnDelete" else self.current
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
            "collisionCount": int(old.get("collisionCount") or 0),
        }
        return status | {field: number for field, number in counts.items() if number}


def _revision(pod: Object) -> str:
    return labels_of(pod).get(REVISION_LABEL, "")
