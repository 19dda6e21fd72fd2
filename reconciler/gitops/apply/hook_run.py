"""The life of a hook: the old one makes way, the new one is made, ends, and goes as its policy says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import meta, uid_of
from reconciler.gitops.apply import requests
from reconciler.gitops.hooks import DeletePolicy, hook_of, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.client import Client
    from reconciler.api.objects import Object
    from reconciler.clock import Clock
    from reconciler.gitops.plan import Change

#: A hook is looked at so often, in seconds.
HOOK_LOOK_SECONDS = 0.2
#: A hook of these kinds is never deleted: it holds data, or what others made.
_KEPT_KINDS = frozenset(
    {
        "PersistentVolumeClaim",
        "PersistentVolume",
        "StatefulSet",
        "Namespace",
        "CustomResourceDefinition",
    }
)


class HookFailed(Exception):
    """A hook did not do what it was made for; the message says why."""


async def run_hook(
    change: Change, client: Client, manager: str, *, clock: Clock, stop: Callable[[], str]
) -> Object:
    """Run a hook to its end and delete it as its policy says. Raises ``ApiError``, ``HookFailed``.

    ``stop`` returns why nobody waits any longer; empty: go on. A hook that is left then goes on by itself, and goes before
    the next sync's is made.
    """
    assert change.object is not None  # noqa: S101 - a hook has an object
    hook = hook_of(change.object)
    assert hook is not None  # noqa: S101 - only hooks are run
    await _make_way(change, hook.policies, client, manager, clock, stop)
    made = await client.apply(change.object, field_manager=manager, force=True)
    try:
        ended = await _ended(change, made, client, clock, stop)
    except HookFailed:
        if DeletePolicy.FAILED in hook.policies and not stop():
            await _remove(change, client, made)
        raise
    if DeletePolicy.SUCCEEDED in hook.policies:
        await _remove(change, client, made)
    return ended


async def _make_way(
    change: Change,
    policies: frozenset[DeletePolicy],
    client: Client,
    manager: str,
    clock: Clock,
    stop: Callable[[], str],
) -> None:
    old = await requests.get(change, client)
    if old is None or change.key.kind in _KEPT_KINDS:
        return
    if not _was_made_by(old, manager):
        raise HookFailed(f"{change.key} is there already, and no hook of an earlier sync")
    if DeletePolicy.BEFORE_CREATION not in policies:
        raise HookFailed(
            f"one of an earlier sync is still there: delete {change.key}, or add {DeletePolicy.BEFORE_CREATION} to its "
            "hook-delete-policy"
        )
    await requests.delete(change, client, uid_of(old))
    while (left := await requests.get(change, client)) is not None and uid_of(left) == uid_of(old):
        if why := stop():
            raise HookFailed(f"the one of an earlier sync is still being deleted ({why})")
        await clock.sleep(HOOK_LOOK_SECONDS)


async def _ended(
    change: Change, made: Object, client: Client, clock: Clock, stop: Callable[[], str]
) -> Object:
    seen = made
    while True:
        state = outcome(seen)
        if state.done and state.succeeded:
            return seen
        if state.done:
            raise HookFailed(state.message)
        if why := stop():
            raise HookFailed(f"{state.message} ({why})")
        await clock.sleep(HOOK_LOOK_SECONDS)
        found = await requests.get(change, client)
        if found is None or uid_of(found) != uid_of(made):
            failed = (seen.get("status") or {}).get("failed")
            if "ttlSecondsAfterFinished" in (seen.get("spec") or {}) and not failed:
                # It ended and went away by itself between two looks.
                return seen
            raise HookFailed("somebody has deleted it before it ended")
        seen = found


def _was_made_by(obj: Object, manager: str) -> bool:
    return any(f.get("manager") == manager for f in meta(obj).get("managedFields") or ())


async def _remove(change: Change, client: Client, made: Object) -> None:
    if change.key.kind not in _KEPT_KINDS:
        await requests.delete(change, client, uid_of(made))
