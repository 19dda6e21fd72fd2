"""The claims of a Pod: it is bound to a Node once they are bound to volumes (V08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import kinds
from reconciler.api.decision import Action, Patch
from reconciler.api.objects import annotations_of, is_deleting, name_of, namespace_of, uid_of
from reconciler.api.pods import is_finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

SELECTED_NODE = "volume.kubernetes.io/selected-node"


class Claims(NamedTuple):
    """What stands between a Pod and its Node: a problem in words, claims to annotate, claims not bound yet."""

    problem: str = ""
    actions: tuple[Action, ...] = ()
    unbound: bool = False


def claim_names(pod: Object) -> Iterator[str]:
    """Return the names of the claims a Pod mounts, ephemeral ones too."""
    for volume in pod["spec"].get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim:
            yield claim["claimName"]
        elif volume.get("ephemeral"):
            yield f"{name_of(pod)}-{volume['name']}"


def claims_to_wait_for(pod: Object, node: str, snapshot: Snapshot) -> Claims:
    """Tell whether the claims allow the Pod to go to the node, and what is to be written first."""
    actions: list[Action] = []
    unbound = False
    for name in claim_names(pod):
        claim = snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(pod), name)
        if claim is None or is_deleting(claim):
            what = "not found" if claim is None else "being deleted"
            return Claims(f'persistentvolumeclaim "{name}" {what}')
        phase = (claim.get("status") or {}).get("phase")
        if phase == "Lost":
            return Claims(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume')
        if phase == "Bound":
            if _is_taken(pod, claim, snapshot):
                return Claims(
                    "node(s) has pod using PersistentVolumeClaim with the same name and "
                    "ReadWriteOncePod access mode"
                )
            continue
        class_name = claim["spec"].get("storageClassName")
        storage_class = snapshot.get(kinds.STORAGE_CLASS, "", class_name) if class_name else None
        if (storage_class or {}).get("volumeBindingMode") != "WaitForFirstConsumer":
            return Claims("pod has unbound immediate PersistentVolumeClaims")
        unbound = True
        if annotations_of(claim).get(SELECTED_NODE) != node:
            patch = {"metadata": {"annotations": {SELECTED_NODE: node}}}
            actions.append(
                Patch(kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(pod), name, patch, uid_of(claim))
            )
    return Claims("", tuple(actions), unbound)


def holds_alone(pod: Object, snapshot: Snapshot) -> bool:
    """Whether a Pod mounts a claim that is for one Pod alone: its end is what another waits for."""
    found = (
        snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(pod), name)
        for name in claim_names(pod)
    )
    return any(claim is not None and _is_for_one(claim) for claim in found)


def _is_for_one(claim: Object) -> bool:
    return "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ())


def _is_taken(pod: Object, claim: Object, snapshot: Snapshot) -> bool:
    """Whether another Pod holds a claim that is for one Pod alone (V22)."""
    if not _is_for_one(claim):
        return False
    return any(
        other["spec"].get("nodeName")
        and not is_finished(other)
        and uid_of(other) != uid_of(pod)
        and name_of(claim) in claim_names(other)
        for other in snapshot.list(kinds.POD, namespace_of(pod))
    )
