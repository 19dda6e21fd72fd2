"""Claims and volumes: bind, provision, protect, reclaim (``persistentvolume-binder`` and its siblings)."""

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
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_finished
from reconciler.api.quantities import parse as quantity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

PROVISIONER = "reconciler.dev/local-path"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_BOUND_BY = "pv.kubernetes.io/bound-by-controller"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_PVC_PROTECTION = "kubernetes.io/pvc-protection"
_PV_PROTECTION = "kubernetes.io/pv-protection"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_CLAIM, _VOLUME = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME


class ClaimController:
    """Plans claims: each is bound to one volume, which is provisioned where its class says so."""

    name = "persistentvolume-binder"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(_CLAIM, lambda obj, _: (Key.of(obj),)),
            Watch(_VOLUME, _claims_of_volume),
            Watch(kinds.STORAGE_CLASS, _pending_claims),
            Watch(kinds.POD, _claims_of_pod),
            Watch(kinds.NODE, lambda _obj, _snapshot: ()),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        claim = snapshot.get(_CLAIM, key.namespace, key.name)
        if claim is None:
            return NOTHING
        if is_deleting(claim):
            return _release_protection(_CLAIM, claim, _PVC_PROTECTION, _in_use(claim, snapshot))
        named = claim["spec"].get("volumeName")
        if named:
            return _bound(claim, snapshot.get(_VOLUME, "", named))
        return _unbound(claim, snapshot)


class VolumeController:
    """Plans volumes: Available, Bound, Released, and what happens then."""

    name = "persistentvolume-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(_VOLUME, lambda obj, _: (Key.of(obj),)),
            Watch(_CLAIM, _volume_of_claim),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        volume = snapshot.get(_VOLUME, "", key.name)
        if volume is None:
            return NOTHING
        ref = volume["spec"].get("claimRef") or {}
        phase = "Available"
        if ref.get("uid"):
            claim = snapshot.get(_CLAIM, ref.get("namespace") or "", ref.get("name") or "")
            phase = "Bound" if claim and uid_of(claim) == ref["uid"] else "Released"
        if is_deleting(volume):
            return _release_protection(_VOLUME, volume, _PV_PROTECTION, phase == "Bound")
        actions: list[Action] = []
        status = volume.get("status") or {}
        if status.get("phase") != phase:
            wanted = {**status, "phase": phase}
            actions.append(UpdateStatus(_VOLUME, "", key.name, wanted, uid_of(volume)))
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if phase == "Released" and policy == "Delete":
            actions.append(Delete(_VOLUME, "", key.name, uid=uid_of(volume)))
        return Decision(tuple(actions))


def _claims_of_volume(volume: Object, snapshot: Snapshot) -> Iterator[Key]:
    ref = volume["spec"].get("claimRef")
    if ref:
        yield Key("", "PersistentVolumeClaim", ref.get("namespace") or "", ref.get("name") or "")
    else:
        yield from _pending_claims(volume, snapshot)


def _pending_claims(_: Object, snapshot: Snapshot) -> Iterator[Key]:
    for claim in snapshot.list(_CLAIM):
        if (claim.get("status") or {}).get("phase") != "Bound":
            yield Key.of(claim)


def _claims_of_pod(pod: Object, _: Snapshot) -> Iterator[Key]:
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            yield Key("", "PersistentVolumeClaim", namespace_of(pod), name)


def _volume_of_claim(claim: Object, _: Snapshot) -> Iterator[Key]:
    name = claim["spec"].get("volumeName")
    if name:
        yield Key("", "PersistentVolume", "", name)


def _in_use(claim: Object, snapshot: Snapshot) -> bool:
    """Whether a Pod that has not finished mounts the claim (V17)."""
    return any(
        not is_finished(pod) and Key.of(claim) in _claims_of_pod(pod, snapshot)
        for pod in snapshot.list(kinds.POD, namespace_of(claim))
    )


def _release_protection(kind: kinds.Kind, obj: Object, finalizer: str, held: bool) -> Decision:
    finalizers = meta(obj).get("finalizers") or []
    if held or finalizer not in finalizers:
        return NOTHING
    patch = {"metadata": {"finalizers": [f for f in finalizers if f != finalizer] or None}}
    return Decision((Patch(kind, namespace_of(obj), name_of(obj), patch, uid=uid_of(obj)),))


def _bound(claim: Object, volume: Object | None) -> Decision:
    """Complete a binding, or tell why there is none (V05, V06, V16)."""
    status = claim.get("status") or {}
    where = (_CLAIM, namespace_of(claim), name_of(claim))
    ref = (volume["spec"].get("claimRef") or {}) if volume else {}
    if volume is None or (ref and not _refers(ref, claim)):
        if _BIND_COMPLETED in annotations_of(claim):
            return _lost(claim, misbound=volume is not None)
        told = f'volume "{claim["spec"]["volumeName"]}" already bound to a different claim.'
        return _waits(claim, "FailedBinding", told) if volume else NOTHING
    if not ref.get("uid") and (problem := _mismatch(claim, volume)):
        told = f'Cannot bind to requested volume "{name_of(volume)}": {problem}'
        return _waits(claim, "VolumeMismatch", told)
    wanted = {
        **status,
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes") or [],
        "capacity": volume["spec"].get("capacity") or {},
    }
    actions: list[Action] = []
    if wanted != status:
        actions.append(UpdateStatus(*where, wanted, uid_of(claim)))
    if not ref.get("uid"):
        actions.insert(0, _refer(volume, claim))
    if _BIND_COMPLETED not in annotations_of(claim):
        patch = {"metadata": {"annotations": {_BIND_COMPLETED: "yes"}}}
        actions.append(Patch(*where, patch, uid=uid_of(claim)))
    return Decision((*actions, *_grow(claim, volume)))


def _lost(claim: Object, *, misbound: bool) -> Decision:
    status = claim.get("status") or {}
    if status.get("phase") == "Lost":
        return NOTHING
    reason, told = (
        "ClaimLost",
        "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
    )
    if misbound:
        reason = "ClaimMisbound"
        told = "Two claims are bound to the same volume, this one is bound incorrectly"
    lost = UpdateStatus(
        _CLAIM, namespace_of(claim), name_of(claim), {**status, "phase": "Lost"}, uid_of(claim)
    )
    return Decision((lost,), (Notice(claim, "Warning", reason, told),))


def _waits(claim: Object, reason: str, message: str, type_: str = "Warning") -> Decision:
    """Leave a claim Pending, and say why. A volume or class that changes wakes it: nothing is polled."""
    return Decision((), (Notice(claim, type_, reason, message),))


def _mismatch(claim: Object, volume: Object) -> str:
    """Return why a volume that a claim names does not do (V05)."""
    wants, has = claim["spec"], volume["spec"]
    if _storage(volume["spec"].get("capacity")) < _requested(claim):
        return "requested PV is too small"
    if (has.get("storageClassName") or "") != (wants.get("storageClassName") or ""):
        return "storageClassName does not match"
    if (has.get("volumeMode") or "Filesystem") != (wants.get("volumeMode") or "Filesystem"):
        return "incompatible volumeMode"
    if not set(wants.get("accessModes") or ()) <= set(has.get("accessModes") or ()):
        return "incompatible accessMode"
    return ""


def _requested(claim: Object) -> Fraction:
    return _storage((claim["spec"].get("resources") or {}).get("requests"))


def _storage(amounts: dict[str, Any] | None) -> Fraction:
    return quantity((amounts or {}).get("storage", 0))


def _grow(claim: Object, volume: Object) -> list[Action]:
    """A directory has the room of its disk: a claim that asks for more gets it at once (V20)."""
    provisioned = annotations_of(volume).get(_PROVISIONED_BY) == PROVISIONER
    if not provisioned or _storage(volume["spec"].get("capacity")) >= _requested(claim):
        return []
    capacity = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
    patch = {"spec": {"capacity": capacity}}
    return [Patch(_VOLUME, "", name_of(volume), patch, uid=uid_of(volume))]


def _refers(ref: dict[str, Any], claim: Object) -> bool:
    named = (ref.get("namespace"), ref.get("name")) == (namespace_of(claim), name_of(claim))
    return named and ref.get("uid") in (None, "", uid_of(claim))


def _refer(volume: Object, claim: Object) -> Patch:
    patch = {"spec": {"claimRef": _claim_ref(claim)}}
    return Patch(_VOLUME, "", name_of(volume), patch, uid=uid_of(volume))


def _claim_ref(claim: Object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
    }


def _unbound(claim: Object, snapshot: Snapshot) -> Decision:
    class_name = claim["spec"].get("storageClassName")
    if class_name is None and (default := _default_class(snapshot)):
        patch: dict[str, Any] = {"spec": {"storageClassName": default}}
        return Decision(
            (Patch(_CLAIM, namespace_of(claim), name_of(claim), patch, uid=uid_of(claim)),)
        )
    storage = snapshot.get(kinds.STORAGE_CLASS, "", class_name) if class_name else None
    node = annotations_of(claim).get(SELECTED_NODE)
    waits = (storage or {}).get("volumeBindingMode") == "WaitForFirstConsumer" and not node
    volume = _best(claim, snapshot, only_reserved=waits)
    if volume is not None:
        marks = {_BIND_COMPLETED: "yes", _BOUND_BY: "yes"}
        patch = {"metadata": {"annotations": marks}, "spec": {"volumeName": name_of(volume)}}
        steps: list[Action] = []
        if not (volume["spec"].get("claimRef") or {}).get("uid"):
            steps.append(_refer(volume, claim))
        bind = Patch(_CLAIM, namespace_of(claim), name_of(claim), patch, uid=uid_of(claim))
        return Decision((*steps, bind))
    if waits:
        told = "waiting for first consumer to be created before binding"
        return Decision((), (Notice(claim, "Normal", "WaitForFirstConsumer", told),))
    if not class_name:
        told = "no persistent volumes available for this claim and no storage class is set"
        return _waits(claim, "FailedBinding", told, "Normal")
    if storage is None:
        told = f'storageclass.storage.k8s.io "{class_name}" not found'
        return _waits(claim, "ProvisioningFailed", told)
    if storage.get("provisioner") != PROVISIONER:
        told = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{storage.get('provisioner')}' or manually by the system administrator."
        )
        return _waits(claim, "ExternalProvisioning", told, "Normal")
    return _provision(claim, storage, node, snapshot)


def _default_class(snapshot: Snapshot) -> str:
    """Return the default class' name, the newest of several: a claim without one gets it, also later (V10)."""
    found = [
        c
        for c in snapshot.list(kinds.STORAGE_CLASS)
        if annotations_of(c).get(_DEFAULT_CLASS) == "true"
    ]
    newest = max(
        found, key=lambda c: (meta(c).get("creationTimestamp") or "", name_of(c)), default={}
    )
    return name_of(newest)


def _best(claim: Object, snapshot: Snapshot, *, only_reserved: bool) -> Object | None:
    """Choose a volume: one reserved for the claim; else fewest modes, then smallest (V02 to V04)."""
    selector = selectors.from_object(claim["spec"].get("selector") or {})
    fitting = []
    for volume in snapshot.list(_VOLUME):
        ref = volume["spec"].get("claimRef")
        if is_deleting(volume) or (ref and not _refers(ref, claim)) or _mismatch(claim, volume):
            continue
        if ref:
            return volume
        free = (volume.get("status") or {}).get("phase") in ("Available", "Pending", None)
        if free and not only_reserved and selector.matches(labels_of(volume)):
            modes = len(volume["spec"].get("accessModes") or ())
            fitting.append(
                ((modes, _storage(volume["spec"].get("capacity")), name_of(volume)), volume)
            )
    return min(fitting, key=lambda found: found[0])[1] if fitting else None


def _provision(claim: Object, storage: Object, node: str | None, snapshot: Snapshot) -> Decision:
    """Create the volume; the kubelet makes and removes its directory (V09)."""
    nodes = [name_of(n) for n in snapshot.list(kinds.NODE)] if node is None else [node]
    name = f"pvc-{uid_of(claim)}"
    spec: dict[str, Any] = {
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"].get("accessModes") or [],
        "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
        "storageClassName": name_of(storage),
        "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy") or "Delete",
        "claimRef": _claim_ref(claim),
        "local": {"path": f"/{namespace_of(claim)}/{name_of(claim)}"},
    }
    host = {"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}
    if nodes:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {_PROVISIONED_BY: PROVISIONER},
            "finalizers": [_PV_PROTECTION, PROVISIONER],
        },
        "spec": spec,
    }
    message = f"Successfully provisioned volume {name}"
    return Decision((Create(volume, Notice(claim, "Normal", "ProvisioningSucceeded", message)),))
