"""The requests that changes become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.objects import GroupVersionKind, Object, uid_of
from reconciler.errors import NotFound

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.gitops.plan import Change


def kind_of(change: Change) -> kinds.Kind:
    """Return the kind of a change's object, described as unknown where the table lacks it."""
    key, obj = change.key, change.object if change.object is not None else change.live
    version = GroupVersionKind.of(obj).version if obj is not None else "v1"
    return kinds.lookup(key.group, key.kind) or kinds.unknown(
        GroupVersionKind(key.group, version, key.kind), namespaced=bool(key.namespace)
    )


async def apply_object(change: Change, client: Client, manager: str) -> Object:
    """Apply one object. Raises ``ApiError``."""
    assert change.object is not None  # noqa: S101 - prunes are not applied
    return await client.apply(change.object, field_manager=manager, force=True)


async def prune(change: Change, client: Client) -> None:
    """Ask for one object's deletion; one that is gone already is well. Raises ``ApiError``."""
    uid = uid_of(change.live) if change.live is not None else ""
    await delete(change, client, uid)


async def get(change: Change, client: Client) -> Object | None:
    """Return the object as it is now; None where it is not there."""
    try:
        return await client.get(kind_of(change), change.key.name, change.key.namespace)
    except NotFound:
        return None


async def delete(change: Change, client: Client, uid: str) -> None:
    """Ask for the deletion of the object of that uid (empty: whatever it is)."""
    options = DeleteOptions(propagation=Propagation.BACKGROUND, uid=uid)
    try:
        await client.delete(kind_of(change), change.key.name, change.key.namespace, options)
    except NotFound:
        return
