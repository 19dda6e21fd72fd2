"""The entries of ``metadata.managedFields``, and what a create, update or patch does to them (M08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import structure
from reconciler.api.managed_fields import fieldset

if TYPE_CHECKING:
    from reconciler.api.managed_fields.fieldset import FieldSet
    from reconciler.api.objects import GroupVersionKind, Object

#: Fields of metadata that belong to the server and are never owned.
SYSTEM_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generateName",
    }
)


class Owner(NamedTuple):
    """One entry: who, how, through which subresource, and which fields."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource

    def to_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldset.to_json(self.fields),
        }
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry


def read(entry: dict[str, Any]) -> Owner:
    """Read one entry."""
    return Owner(
        str(entry.get("manager", "")),
        str(entry.get("operation", "")),
        str(entry.get("subresource", "")),
        str(entry.get("apiVersion", "")),
        str(entry.get("time", "")),
        fieldset.from_json(entry.get("fieldsV1") or {}),
    )


def ownable(obj: Object | None) -> dict[str, Any]:
    """Return an object without what nobody owns."""
    if obj is None:
        return {}
    result = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in SYSTEM_METADATA}
    if meta:
        result["metadata"] = meta
    return result


def track(
    before: Object | None,
    after: Object,
    *,
    manager: str,
    gvk: GroupVersionKind,
    time: str,
    subresource: str = "",
) -> list[dict[str, Any]]:
    """Return the managedFields after a write that was no apply: the writer owns what it changed, others lose it."""
    old, new = ownable(before), ownable(after)
    if subresource:
        old, new = ({k: v for k, v in o.items() if k == subresource} for o in (old, new))
    changed, gone = fieldset.compare(old, new, structure.of(gvk))
    entries = ((before or {}).get("metadata") or {}).get("managedFields") or []
    if not changed and not gone:
        return list(entries)
    touched = fieldset.union(changed, gone)
    identity = (manager, "Update", subresource)
    result: list[dict[str, Any]] = []
    mine: dict[str, Any] | None = None
    for entry in entries:
        fields = entry.get("fieldsV1") or {}
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == identity:
            mine = entry
        elif not touched.keys() & fields.keys():
            result.append(entry)
        else:
            owner = read(entry)
            rest = fieldset.difference(owner.fields, touched)
            if rest:
                result.append(
                    entry if rest == owner.fields else owner._replace(fields=rest).to_json()
                )
    own = fieldset.from_json(mine.get("fieldsV1") or {}) if mine else {}
    kept = fieldset.union(fieldset.difference(own, gone), changed)
    if mine is not None and kept == own:
        result.append(mine)
    elif kept:
        owner = Owner(manager, "Update", subresource, gvk.api_version, time, kept)
        result.append(owner.to_json())
    return result
