"""The claims of a StatefulSet's Pods: their names, and who takes them along (SS20 to SS23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import Action, Create, Patch
from reconciler.api.objects import (
    controller_ref,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object


def claim_names(owner: Object, ordinal: int) -> dict[str, str]:
    """Return the claim of each volumeClaimTemplate for an ordinal, by the template's name."""
    return {
        name_of(template): f"{name_of(template)}-{name_of(owner)}-{ordinal}"
        for template in owner["spec"].get("volumeClaimTemplates") or ()
    }


def missing(owner: Object, ordinal: int, snapshot: Snapshot) -> list[Action]:
    """Create the claims that are missing; those that exist are used as they are."""
    names = claim_names(owner, ordinal)
    found: list[Action] = []
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        name = names[name_of(template)]
        if snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(owner), name) is None:
            found.append(Create(_claim(owner, template, name)))
    return found


def _claim(owner: Object, template: Object, name: str) -> Object:
    selected = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace_of(owner),
        "labels": {**labels_of(template), **selected},
    }
    if meta(template).get("annotations"):
        metadata["annotations"] = meta(template)["annotations"]
    if _policy(owner, "whenDeleted") == "Delete":
        metadata["ownerReferences"] = [controller_ref(owner)]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template["spec"],
    }


def _policy(owner: Object, when: str) -> str:
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return str(policy.get(when) or "Retain")


def with_owners(
    owner: Object, pod: Object, ordinal: int, snapshot: Snapshot, *, condemned: bool
) -> Iterator[Action]:
    """Give a Pod's claims the owners that the retention policy wants: nobody, the set, or a condemned Pod.

    So the garbage collector deletes a claim with its set (whenDeleted) or with the Pod that is scaled away
    (whenScaled). Owners that are neither are left alone.
    """
    wanted: list[dict[str, Any]] = []
    if condemned and _policy(owner, "whenScaled") == "Delete":
        wanted = [controller_ref(pod)]
    elif _policy(owner, "whenDeleted") == "Delete":
        wanted = [controller_ref(owner)]
    ours = {uid_of(owner), uid_of(pod)}
    for name in claim_names(owner, ordinal).values():
        claim = snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(owner), name)
        if claim is None or is_deleting(claim):
            continue
        refs = meta(claim).get("ownerReferences") or []
        others = [r for r in refs if r.get("uid") not in ours and not _is_former(r, pod)]
        if any(r.get("controller") for r in others):
            continue
        if [*others, *wanted] != refs:
            patch = {"metadata": {"ownerReferences": [*others, *wanted] or None}}
            where = kinds.PERSISTENT_VOLUME_CLAIM, namespace_of(claim), name
            yield Patch(*where, patch, uid=uid_of(claim))


def _is_former(ref: dict[str, Any], pod: Object) -> bool:
    """Whether a reference names an earlier Pod of the same name, which is gone."""
    return ref.get("kind") == "Pod" and ref.get("name") == name_of(pod)
