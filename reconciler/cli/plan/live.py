"""What files ask for against what a daemon runs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from reconciler.api import kinds
from reconciler.api.objects import Key, annotations_of
from reconciler.errors import Invalid, NotFound
from reconciler.gitops.diff import diff
from reconciler.gitops.engine import desired, rolls
from reconciler.gitops.engine.policy.pruning import prune_verdict
from reconciler.gitops.engine.report import inventory_of
from reconciler.gitops.hooks import hook_of
from reconciler.gitops.plan import Change
from reconciler.gitops.plan.refusal import refusal_of
from reconciler.gitops.plan.rendered import cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.client import Client
    from reconciler.api.objects import Object


#: Requests under way at once.
CONCURRENCY = 16


async def changes(
    client: Client, name: str, wanted: Mapping[Key, desired.Wanted], mask: bytes
) -> list[Change]:
    """Return the changes that a sync of these objects would make as an Application of that name; writes nothing.

    Asks for a list of each kind, and for a dry run of each object that is there.
    """
    hooks = {k: h for k, w in wanted.items() if (h := hook_of(w.object)) is not None}
    objects = {k: w for k, w in wanted.items() if k not in hooks}
    live: dict[Key, Object] = {}
    for kind in dict.fromkeys(w.kind for w in objects.values()):
        # A type that nobody here has stored yet is served by no path.
        with contextlib.suppress(NotFound):
            live |= {Key.of(o): o for o in (await client.list(kind)).items}
    limit = asyncio.Semaphore(CONCURRENCY)

    async def compared(key: Key, one: desired.Wanted) -> Change:
        async with limit:
            return await _compared(client, name, key, one, live.get(key), mask)

    found = list(await asyncio.gather(*(compared(k, w) for k, w in objects.items())))
    found = rolls.with_rolls(found, {k: w for k, w in objects.items() if w.reads}, live.get)
    found += await _prunes(client, name, wanted)
    if any(c.action != "unchanged" for c in found):
        for key, hook in hooks.items():
            cause = f"{'/'.join(hook.phases) or 'skipped'} hook"
            found.append(Change("hook", key, wanted[key].object, cause=cause))
    return found


async def _compared(
    client: Client, name: str, key: Key, wanted: desired.Wanted, live: Object | None, mask: bytes
) -> Change:
    if live is None:
        return Change("create", key, wanted.object, cause="it does not exist")
    obj = rolls.carried(wanted, live)
    try:
        merged = await client.apply(
            obj, field_manager=desired.manager_of(name), force=True, dry_run=True
        )
    except Invalid as error:
        return Change("update", key, obj, cause=refusal_of(error), live=live)
    fields = diff(live, merged, mask=mask)
    if not fields:
        return Change("unchanged", key, obj)
    return Change("update", key, obj, fields, cause_of(fields), live, merged)


async def _prunes(client: Client, name: str, wanted: Mapping[Key, desired.Wanted]) -> list[Change]:
    try:
        app = await client.get(kinds.APPLICATION, name)
    except NotFound:
        return []
    found = []
    for key in inventory_of(app):
        kind = kinds.lookup(key.group, key.kind)
        if key in wanted or kind is None:
            continue
        try:
            live = await client.get(kind, key.name, key.namespace)
        except NotFound:
            continue
        mine = annotations_of(live).get(desired.APPLICATION_ANNOTATION) == name
        if mine and not prune_verdict(live):
            found.append(Change("prune", key, None, cause="no manifest asks for it", live=live))
    return found
