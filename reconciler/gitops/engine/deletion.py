"""Taking an Application away with everything that it made; data stays unless told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.objects import Key, Object, annotations_of, is_deleting, name_of
from reconciler.errors import NotFound
from reconciler.gitops.engine.desired import APPLICATION_ANNOTATION
from reconciler.gitops.engine.report import inventory_of
from reconciler.gitops.plan import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.client import Client
    from reconciler.control import InformerCache

FINALIZER = "reconciler.dev/resources-finalizer"
DELETE_VOLUMES = "reconciler.dev/delete-volumes"
#: Its deletion is next, with that of all others: nobody keeps anything for its sake.
TAKEN_DOWN = "reconciler.dev/taken-down"

_OWN_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_DATA = frozenset({"PersistentVolumeClaim", "PersistentVolume"})


async def delete_all(
    client: Client, cache: InformerCache, app: Object, *, keep: Callable[[Key], bool]
) -> bool:
    """Take one more step of an Application's deletion; returns whether it is gone.

    Called again whenever one of its objects changes. Order is the reverse of applying. ``keep`` says of an object that
    somebody else has use for it.
    """
    if FINALIZER not in (app["metadata"].get("finalizers") or ()):
        return False
    volumes = annotations_of(app).get(DELETE_VOLUMES) == "true"
    left = [k for k in _owned(cache, app) if not keep(k)]
    workloads = [k for k in left if k.kind not in _DATA and k.kind != "Namespace"]
    if workloads:
        for key in sorted(workloads, key=lambda k: (-place_of(k.kind), k)):
            await _delete(client, cache, key)
        return False
    namespaces = [k.name for k in left if k.kind == "Namespace"]
    spaces = {k.namespace for k in inventory_of(app) if k.namespace}
    if volumes:
        data = [k for k in left if k.kind in _DATA]
        for key in data + _claims_of_templates(cache, app, spaces):
            await _delete(client, cache, key)
    for name in namespaces:
        if name not in _OWN_NAMESPACES and (volumes or not _holds_claims(cache, name)):
            await _delete(client, cache, Key("", "Namespace", "", name))
    rest = [f for f in app["metadata"]["finalizers"] if f != FINALIZER]
    try:
        await client.patch(
            kinds.APPLICATION, name_of(app), "", {"metadata": {"finalizers": rest or None}}
        )
    except NotFound:
        return True
    return False


def stands(cache: InformerCache, app: str) -> bool:
    """Whether there is an Application of this name, and it is not about to go."""
    found = cache.snapshot.get(kinds.APPLICATION, "", app)
    if found is None or is_deleting(found):
        return False
    return annotations_of(found).get(TAKEN_DOWN) != "true"


def _owned(cache: InformerCache, app: Object) -> list[Key]:
    """Return what of the inventory is still there and is still ours."""
    found = []
    for key in inventory_of(app):
        kind = kinds.lookup(key.group, key.kind)
        live = cache.snapshot.get(kind, key.namespace, key.name) if kind else None
        if live is not None and annotations_of(live).get(APPLICATION_ANNOTATION) == name_of(app):
            found.append(key)
    return found


def _holds_claims(cache: InformerCache, namespace: str) -> bool:
    return any(True for _ in cache.snapshot.list(kinds.PERSISTENT_VOLUME_CLAIM, namespace))


def _claims_of_templates(cache: InformerCache, app: Object, namespaces: set[str]) -> list[Key]:
    """Return the claims that this Application's StatefulSets made from their templates."""
    sets = [k for k in inventory_of(app) if k.kind == "StatefulSet"]
    found = []
    for namespace in sorted(namespaces):
        names = [k.name for k in sets if k.namespace == namespace]
        for claim in cache.snapshot.list(kinds.PERSISTENT_VOLUME_CLAIM, namespace):
            stem, _, ordinal = name_of(claim).rpartition("-")
            if ordinal.isdigit() and any(stem.endswith(f"-{name}") for name in names):
                found.append(Key.of(claim))
    return found


async def _delete(client: Client, cache: InformerCache, key: Key) -> None:
    kind = kinds.lookup(key.group, key.kind)
    live = cache.snapshot.get(kind, key.namespace, key.name) if kind else None
    if kind is None or live is None or is_deleting(live):
        return
    options = DeleteOptions(propagation=Propagation.BACKGROUND, uid=live["metadata"]["uid"])
    try:
        await client.delete(kind, key.name, key.namespace, options)
    except NotFound:
        return
