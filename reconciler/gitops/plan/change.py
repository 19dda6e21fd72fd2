"""What shall happen to one object, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.gitops.plan.order import wave_of

if TYPE_CHECKING:
    from reconciler.api.objects import Key, Object
    from reconciler.gitops.diff import FieldChange


class Change(NamedTuple):
    """What shall happen to one object. ``action``: create, update, unchanged, prune, or hook (run it)."""

    action: str
    key: Key
    object: Object | None  # as desired; None for a prune
    fields: tuple[FieldChange, ...] = ()
    cause: str = ""
    live: Object | None = None  # as it was found, where somebody looked
    after: Object | None = None  # as the API would leave it, where it was asked

    @property
    def wave(self) -> int:
        """The sync wave it asks for; for a prune that of the live object."""
        obj = self.object if self.object is not None else self.live
        return wave_of(obj) if obj is not None else 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, fields with what they were and will be."""
        return {
            "action": self.action,
            "group": self.key.group,
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "cause": self.cause,
            "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in self.fields],
        }
