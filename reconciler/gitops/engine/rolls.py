"""Rolling the readers of what a sync changes: a part of its plan, in its order. Pure.

A ConfigMap that changes and the Deployment that reads it become one rollout, after the hooks and waves between them;
and a sync is healthy only when the readers are.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from reconciler.api import config_hash
from reconciler.api.objects import annotations_of
from reconciler.gitops.diff import FieldChange
from reconciler.gitops.plan import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.desired import Wanted

_PATH = f"spec.template.metadata.annotations.{config_hash.HASH}"


def carried(wanted: Wanted, live: Object) -> Object:
    """Return what is applied: the mark that the Pods bear stays, though no manifest has it."""
    mark = config_hash.marked(live) if wanted.reads else ""
    if not mark or config_hash.marked(wanted.object):
        return wanted.object
    return config_hash.with_mark(wanted.object, mark)


def configs(changes: Iterable[Change]) -> dict[Key, Object]:
    """Return the ConfigMaps and Secrets that are made or changed, as they will be."""
    return {
        c.key: _after(c)
        for c in changes
        if c.key.kind in ("ConfigMap", "Secret")
        and not c.key.group
        and c.action in ("create", "update")
        and c.object is not None
    }


def with_rolls(
    changes: Sequence[Change],
    workloads: Mapping[Key, Wanted],
    find: Callable[[Key], Object | None],
    unfinished: Collection[Key] = (),
) -> list[Change]:
    """Return the changes, with the roll of every one of ``workloads`` that reads what changes.

    ``find`` returns an object as it is; ``unfinished``: configs that were changed before, their readers perhaps not rolled.
    O(workloads), and what those that are concerned read.
    """
    will_be = configs(changes)
    moved = will_be.keys() | set(unfinished)
    result = list(changes)
    at = {c.key: i for i, c in enumerate(changes)}
    for key, wanted in workloads.items():
        change = result[at[key]] if key in at else None
        is_new = change is not None and change.action == "create"
        if not is_new and moved.isdisjoint(wanted.reads):
            continue
        read = [will_be.get(k) or find(k) for k in wanted.reads]
        present = [config for config in read if config is not None]
        if len(present) < len(read):
            continue
        mark = config_hash.hash_of(present)
        if is_new and change is not None and change.object is not None:
            marked = config_hash.with_mark(change.object, mark)
            result[at[key]] = change._replace(object=marked)
            continue
        rolled = _rolled(key, wanted, change, find(key), mark, moved)
        if rolled is not None and change is not None:
            result[at[key]] = rolled
        elif rolled is not None:
            result.append(rolled)
    return result


def _rolled(
    key: Key,
    wanted: Wanted,
    change: Change | None,
    live: Object | None,
    mark: str,
    moved: Collection[Key],
) -> Change | None:
    """Return the change that also rolls a workload; None where its Pods have read what will be."""
    if live is None:
        return None
    seen, before = annotations_of(live).get(config_hash.OBSERVED), config_hash.marked(live)
    if not seen or mark in (seen, before):
        return None
    field = FieldChange(_PATH, before or None, mark)
    if change is not None and change.action == "update" and change.object is not None:
        marked = config_hash.with_mark(change.object, mark)
        return change._replace(object=marked, fields=(*change.fields, field))
    names = ", ".join(f"{k.kind} {k.name}" for k in wanted.reads if k in moved)
    marked = config_hash.with_mark(wanted.object, mark)
    return Change("update", key, marked, (field,), f"it reads {names}, which changes", live)


def _after(change: Change) -> Object:
    """Return a config as it will be: as the API said, or for one that is made as it will be stored."""
    obj = change.after or change.object or {}
    plain = obj.get("stringData") or {}
    if not plain:
        return obj
    coded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
    return {**obj, "data": {**(obj.get("data") or {}), **coded}}
