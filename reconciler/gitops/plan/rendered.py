"""The changes between two rendered sets: what a merge would do, without asking anything that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.gitops.diff import diff
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.plan.change import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.objects import Key, Object


def changes_between(
    before: Mapping[Key, Object], after: Mapping[Key, Object], *, mask: bytes
) -> list[Change]:
    """Return one change an object, hooks last; hooks are left out where nothing else and none of them changes."""
    changes: list[Change] = []
    hooks: list[Change] = []
    for key, obj in after.items():
        old = before.get(key)
        fields = diff(old, obj, mask=mask) if old is not None else ()
        hook = hook_of(obj)
        if hook is not None:
            cause = f"{'/'.join(hook.phases) or 'skipped'} hook"
            hooks.append(
                Change("hook", key, obj, fields, cause if old is not None else f"{cause}, new")
            )
        elif old is None or hook_of(old) is not None:
            changes.append(Change("create", key, obj, cause="it is new"))
        elif fields:
            changes.append(Change("update", key, obj, fields, cause_of(fields)))
        else:
            changes.append(Change("unchanged", key, obj))
    changes += [
        Change("prune", key, None, cause="no manifest asks for it any more", live=obj)
        for key, obj in before.items()
        if key not in after and hook_of(obj) is None
    ]
    differs = any(c.action != "unchanged" for c in changes)
    if differs or any(c.fields or c.key not in before for c in hooks):
        changes += hooks
    return changes


def cause_of(fields: tuple[object, ...]) -> str:
    """Return why an object is updated, in words."""
    return f"{len(fields)} field{'s differ' if len(fields) != 1 else ' differs'}"
