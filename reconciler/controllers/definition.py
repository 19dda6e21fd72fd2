"""CustomResourceDefinitions: here any type is served as soon as it is named, so each is established at once.

What a definition's schema says is not enforced; objects of its type are stored and shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import conditions, kinds
from reconciler.api.decision import NOTHING, Decision, UpdateStatus, Watch
from reconciler.api.objects import Key, is_deleting, name_of, uid_of

if TYPE_CHECKING:
    from reconciler.api.decision import Snapshot


class DefinitionController:
    """Plans the status of CustomResourceDefinitions."""

    name = "definition-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(kinds.CUSTOM_RESOURCE_DEFINITION, lambda obj, _: (Key.of(obj),)),)

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:
        """Accept its names and establish it, once."""
        found = snapshot.get(kinds.CUSTOM_RESOURCE_DEFINITION, "", key.name)
        if found is None or is_deleting(found):
            return NOTHING
        status = found.get("status") or {}
        kept = status.get("conditions") or []
        if all(conditions.is_true(found, kind) for kind in ("NamesAccepted", "Established")):
            return NOTHING
        kept = conditions.updated(
            kept,
            "NamesAccepted",
            true=True,
            reason="NoConflicts",
            message="no conflicts found",
            now=now,
        )
        kept = conditions.updated(
            kept,
            "Established",
            true=True,
            reason="InitialNamesAccepted",
            message="its type is served",
            now=now,
        )
        spec = found.get("spec") or {}
        wanted = {**status, "conditions": kept, "acceptedNames": spec.get("names") or {}}
        update = UpdateStatus(
            kinds.CUSTOM_RESOURCE_DEFINITION, "", name_of(found), wanted, uid=uid_of(found)
        )
        return Decision((update,))
