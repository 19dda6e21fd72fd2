"""The history of a template as ControllerRevisions, of StatefulSets and DaemonSets alike (SS17, SS18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import Action, Create, Delete, Patch
from reconciler.api.objects import (
    controller_of,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.controllers.deployment.template import template_hash

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

REVISION_LABEL = "controller-revision-hash"


def revision_of(pod: Object) -> str:
    """Return the revision that a Pod was made from, as its label says."""
    return labels_of(pod).get(REVISION_LABEL, "")


class History:
    """The revisions of one owner; ``update`` is the name of the one that its template is now."""

    def __init__(self, owner: Object, snapshot: Snapshot, *, prefixed: bool) -> None:
        """Read the history. ``prefixed``: the label's value is the revision's whole name, not only its hash."""
        self._owner = owner
        self._prefixed = prefixed
        self.revisions = sorted(
            (
                revision
                for revision in snapshot.owned(kinds.CONTROLLER_REVISION, uid_of(owner))
                if (controller_of(revision) or {}).get("uid") == uid_of(owner)
            ),
            key=lambda r: (int(r.get("revision") or 0), name_of(r)),
        )
        template = owner["spec"]["template"]
        self._data = {"spec": {"template": {**template, "$patch": "replace"}}}
        found = [r for r in self.revisions if r.get("data") == self._data]
        self._made = found[-1] if found else None
        self._collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
        digest = template_hash(template, self._collisions)
        self.update = name_of(self._made) if self._made else f"{name_of(owner)}-{digest}"

    def label(self, name: str) -> str:
        """Return the value of a Pod's label for a revision."""
        return name if self._prefixed else name.removeprefix(name_of(self._owner) + "-")

    def template(self, name: str) -> Object | None:
        """Return the Pod template of a revision that is kept."""
        for revision in self.revisions:
            if name_of(revision) == name:
                kept: Object = revision["data"]["spec"]["template"]
                return {k: v for k, v in kept.items() if k != "$patch"}
        return None

    def record(self) -> list[Action]:
        """Keep the template as the newest revision; an equal one that is kept already gets the next number."""
        newest = int(self.revisions[-1].get("revision") or 0) if self.revisions else 0
        if self._made is None:
            return [Create(self._revision(newest + 1))]
        if self._made is self.revisions[-1]:
            return []
        where = kinds.CONTROLLER_REVISION, namespace_of(self._owner), name_of(self._made)
        return [Patch(*where, {"revision": newest + 1}, uid=uid_of(self._made))]

    def _revision(self, number: int) -> dict[str, Any]:
        labels = {**labels_of(self._owner), REVISION_LABEL: self.label(self.update)}
        return {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": self.update,
                "namespace": namespace_of(self._owner),
                "labels": labels,
                "ownerReferences": [controller_ref(self._owner)],
            },
            "data": self._data,
            "revision": number,
        }

    def collided(self) -> int:
        """Return the collisionCount after the revision's name turned out to be taken (DP10)."""
        return self._collisions + 1

    def forget(self, live: AbstractSet[str]) -> list[Action]:
        """Delete the oldest revisions that nothing uses, beyond revisionHistoryLimit. ``live`` are labels."""
        idle = [
            r
            for r in self.revisions
            if self.label(name_of(r)) not in live
            and name_of(r) != self.update
            and not is_deleting(r)
        ]
        limit = self._owner["spec"].get("revisionHistoryLimit")
        keep = 10 if limit is None else int(limit)
        return [
            Delete(kinds.CONTROLLER_REVISION, namespace_of(r), name_of(r), uid=uid_of(r))
            for r in idle[: max(0, len(idle) - keep)]
        ]
