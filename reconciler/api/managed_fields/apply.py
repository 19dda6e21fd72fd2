"""Server-side apply (M06-M10): merge what a manager applies into the live object, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import structure
from reconciler.api.managed_fields import fieldset
from reconciler.api.managed_fields.owners import Owner, ownable, read
from reconciler.api.structure import Merge, Structure
from reconciler.errors import Cause, Conflict, Invalid

if TYPE_CHECKING:
    from reconciler.api.managed_fields.fieldset import FieldSet
    from reconciler.api.objects import GroupVersionKind, Object


def apply(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    gvk: GroupVersionKind,
    time: str,
    force: bool,
    subresource: str = "",
) -> Object:
    """Return the live object with a manager's fields applied; neither input is changed.

    The manager owns exactly the fields given; what it no longer gives and nobody else owns is removed. A field that
    another manager owns with another value is a ``Conflict`` naming it, unless ``force`` takes it over.
    """
    shape = structure.of(gvk)
    wanted = _without_nulls(applied)
    if subresource:
        wanted = {
            k: v for k, v in wanted.items() if k in ("apiVersion", "kind", "metadata", subresource)
        }
    mine = fieldset.set_of(ownable(wanted), shape) if ownable(wanted) else {}
    entries = ((live or {}).get("metadata") or {}).get("managedFields") or []
    owners = [read(e) for e in entries]
    identity = (manager, "Apply", subresource)
    previous = next((o for o in owners if o.identity == identity), None)
    others = [o for o in owners if o.identity != identity]
    merged = _merge(live, wanted, shape, "") if live is not None else wanted
    changed, _ = fieldset.compare(ownable(live), ownable(merged), shape)
    others = _take_over(others, fieldset.intersection(changed, mine), force=force)
    if previous is not None:
        dropped = fieldset.difference(previous.fields, mine)
        held: FieldSet = {}
        for other in others:
            held = fieldset.union(held, other.fields)
        if dropped:
            merged = _remove(merged, dropped, held, mine, shape)
    merged = {**merged, "metadata": dict(merged.get("metadata") or {})}
    for field in ("apiVersion", "kind"):
        if field in wanted:
            merged[field] = wanted[field]
    same = previous is not None and previous.fields == mine
    if mine:
        owner = Owner(manager, "Apply", subresource, gvk.api_version, time, mine)
        others = [*others, previous if same and previous is not None else owner]
    merged["metadata"]["managedFields"] = _entries(entries, others)
    return merged


def _entries(before: list[dict[str, Any]], owners: list[Owner]) -> list[dict[str, Any]]:
    """Return the entries, each in its old place, unchanged ones as they were."""
    old = {read(e).identity: e for e in before}
    new = {o.identity: o for o in owners}
    result = []
    for identity, entry in old.items():
        owner = new.pop(identity, None)
        if owner is not None:
            result.append(entry if read(entry) == owner else owner.to_json())
    return [*result, *(o.to_json() for o in new.values())]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value


def _take_over(others: list[Owner], changed: FieldSet, *, force: bool) -> list[Owner]:
    """Take changed fields from the other managers, or raise ``Conflict`` that names them."""
    conflicts = [
        (owner, both) for owner in others if (both := fieldset.intersection(owner.fields, changed))
    ]
    if conflicts and not force:
        raise _conflict(conflicts)
    result = []
    for owner in others:
        rest = fieldset.difference(owner.fields, changed)
        if rest:
            result.append(owner if rest == owner.fields else owner._replace(fields=rest))
    return result


def _conflict(conflicts: list[tuple[Owner, FieldSet]]) -> Conflict:
    """Word a conflict as a kube-apiserver does."""
    told: list[str] = []
    causes: list[Cause] = []
    for owner, both in conflicts:
        where = f' with subresource "{owner.subresource}"' if owner.subresource else ""
        who = f'conflict with "{owner.manager}"{where} using {owner.api_version}'
        for path in fieldset.paths(both):
            told.append(f"{who}: {path}")
            causes.append(Cause("FieldManagerConflict", who, path))
    count = len(causes)
    head = f"Apply failed with {count} conflict{'s' if count != 1 else ''}"
    body = told[0] if count == 1 else "".join(f"\n- {t}" for t in told)
    return Conflict(f"{head}: {body}", causes=tuple(causes))


def _merge(live: Any, wanted: Any, shape: Structure, path: str) -> Any:
    """Return ``live`` with ``wanted`` merged in; parts that stay are shared."""
    how = shape.merge(wanted)
    if type(live) is not type(wanted) or how is Merge.ATOMIC:
        return wanted
    if how is Merge.MAP:
        result = dict(live)
        for key, value in wanted.items():
            inside = f"{path}.{key}"
            result[key] = (
                _merge(live[key], value, shape.child(key), inside) if key in live else value
            )
        return result
    new = fieldset.items_of(wanted, shape, how)
    if new is None:
        raise Invalid(f"{path}: two items have the same key; give each its own")
    old = fieldset.items_of(live, shape, how)
    if old is None:
        return wanted
    item = shape.item()
    return _in_order(
        old, {k: _merge(old[k], v, item, path) if k in old else v for k, v in new.items()}
    )


def _in_order(old: dict[str, Any], new: dict[str, Any]) -> list[Any]:
    """Return all items: in the order applied, with live-only ones before the neighbour they preceded."""
    result: list[Any] = []
    rest = list(old)
    for key, value in new.items():
        if key in old and key in rest:
            while rest:
                first = rest.pop(0)
                if first == key:
                    break
                if first not in new:
                    result.append(old[first])
        result.append(value)
    result.extend(old[k] for k in rest if k not in new)
    return result


def _remove(value: Any, dropped: FieldSet, held: FieldSet, mine: FieldSet, shape: Structure) -> Any:
    """Return ``value`` without dropped members that nobody holds; what is left empty by that goes too."""
    if isinstance(value, dict):
        return _remove_fields(value, dropped, held, mine, shape)
    if isinstance(value, list):
        merge = shape.merge(value)
        items = fieldset.items_of(value, shape, merge) if merge is not Merge.ATOMIC else None
        if items is None:
            return value
        result = []
        for key, item in items.items():
            less = dropped.get(key)
            if less is None:
                result.append(item)
            elif not _may_go(less, held.get(key, {}), mine.get(key, {})):
                result.append(
                    _remove(item, less, held.get(key, {}), mine.get(key, {}), shape.item())
                )
        return result
    return value


def _may_go(less: FieldSet, held: FieldSet, mine: FieldSet) -> bool:
    """Whether a place goes as a whole: it was given up itself, and nobody holds anything in it."""
    return "." in less and not held and not mine


def _remove_fields(
    value: dict[str, Any], dropped: FieldSet, held: FieldSet, mine: FieldSet, shape: Structure
) -> dict[str, Any]:
    result = {}
    for name, inner in value.items():
        key = f"f:{name}"
        less = dropped.get(key)
        if less is None:
            result[name] = inner
        elif not _may_go(less, held.get(key, {}), mine.get(key, {})):
            rest = _remove(inner, less, held.get(key, {}), mine.get(key, {}), shape.child(name))
            if rest or not inner:
                result[name] = rest
    return result
