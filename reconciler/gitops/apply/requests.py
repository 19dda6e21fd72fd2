"""The requests that changes become: apply, prune, and the life of a hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.objects import GroupVersionKind, Key, Object, uid_of
from reconciler.errors import NotFound
from reconciler.gitops.hooks import DeletePolicy, hook_of, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.client import Client
    from reconciler.clock import Clock
    from reconciler.gitops.plan import Change

#: A hook is looked at so often, in seconds.
HOOK_LOOK_SECONDS = 0.2


class HookFailed(Exception):
    """A hook did not do what it was made for; the message says why."""


def kind_of(key: Key) -> kinds.Kind:
    """Return the kind of a key, described as unknown where the table lacks it."""
    return kinds.lookup(key.group, key.kind) or kinds.unknown(
        GroupVersionKind(key.group, "v1", key.kind), namespaced=bool(key.namespace)
    )


async def apply_object(change: Change, client: Client, manager: str) -> Object:
    """Apply one object. Raises ``ApiError``."""
    assert change.object is not None  # noqa: S101 - prunes are not applied
    return await client.apply(change.object, field_manager=manager, force=True)


async def prune(change: Change, client: Client) -> None:
    """Ask for one object's deletion; one that is gone already is well. Raises ``ApiError``."""
    uid = uid_of(change.live) if change.live is not None else ""
    await _delete(change.key, client, uid)


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
    await _make_way(change.key, hook.policies, client, clock, stop)
    made = await client.apply(change.object, field_manager=manager, force=True)
    try:
        ended = await _ended(change.key, made, client, clock, stop)
    except HookFailed:
        if DeletePolicy.FAILED in hook.policies and not stop():
            await _delete(change.key, client, uid_of(made))
        raise
    if DeletePolicy.SUCCEEDED in hook.policies:
        await _delete(change.key, client, uid_of(made))
    return ended


async def _make_way(
    key: Key,
    policies: frozenset[DeletePolicy],
    client: Client,
    clock: Clock,
    stop: Callable[[], str],
) -> None:
    old = await _get(key, client)
    if old is None:
        return
    if DeletePolicy.BEFORE_CREATION not in policies:
        raise HookFailed(
            f"one of an earlier sync is still there: delete {key}, or add {DeletePolicy.BEFORE_CREATION} to its "
            "hook-delete-policy"
        )
    await _delete(key, client, uid_of(old))
    while (left := await _get(key, client)) is not None and uid_of(left) == uid_of(old):
        if why := stop():
            raise HookFailed(f"the one of an earlier sync is still being deleted ({why})")
        await clock.sleep(HOOK_LOOK_SECONDS)


async def _ended(
    key: Key, made: Object, client: Client, clock: Clock, stop: Callable[[], str]
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
        found = await _get(key, client)
        if found is None or uid_of(found) != uid_of(made):
            if "ttlSecondsAfterFinished" in (seen.get("spec") or {}):
                # It ended and went away by itself between two looks; a failed one would have stayed as long.
                return seen
            raise HookFailed("somebody has deleted it before it ended")
        seen = found


async def _get(key: Key, client: Client) -> Object | None:
    try:
        return await client.get(kind_of(key), key.name, key.namespace)
    except NotFound:
        return None


async def _delete(key: Key, client: Client, uid: str) -> None:
    options = DeleteOptions(propagation=Propagation.BACKGROUND, uid=uid)
    try:
        await client.delete(kind_of(key), key.name, key.namespace, options)
    except NotFound:
        return


def told(error: Exception) -> str:
    """Return an error in words that never are empty."""
    return str(error) or type(error).__name__
