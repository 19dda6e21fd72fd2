"""Walking a plan through a Client: server-side apply in order, then the prune."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.objects import GroupVersionKind
from reconciler.errors import ApiError, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from reconciler.api.client import Client
    from reconciler.api.objects import Key, Object
    from reconciler.gitops.plan import Change, Plan, Step

#: Requests under way at once.
CONCURRENCY = 16


class Result(NamedTuple):
    """What came of one change; ``error`` is empty when it went well."""

    change: Change
    object: Object | None = None
    error: str = ""


async def apply(
    plan: Plan,
    client: Client,
    *,
    manager: str,
    wait: Callable[[Iterable[Key]], Awaitable[dict[Key, str]]],
    applied: Callable[[Result], None],
) -> list[Result]:
    """Apply a plan. A wave begins when the one before it is healthy; a failure blocks only what depends on it.

    Prunes come last, and only when everything else went well and is reconciled (decision 9).
    """
    results: dict[Key, Result] = {}
    stuck: str = ""
    before: list[Key] = []
    wave = plan.steps[0].wave if plan.steps else 0
    for step in plan.steps:
        if step.wave != wave and not stuck:
            late = await wait(before)
            stuck = _told(late)
            before, wave = [], step.wave
        await _apply_step(step, plan, client, manager, wait, results, applied, stuck)
        before += [c.key for c in step.changes]
    failed = [r for r in results.values() if r.error]
    if plan.prunes and not failed and not stuck:
        late = await wait([c.key for s in plan.steps for c in s.changes])
        if not late:
            for change in plan.prunes:
                results[change.key] = await _prune(change, client)
                applied(results[change.key])
        else:
            reason = f"nothing is pruned before the rest is reconciled: {_told(late)}"
            for change in plan.prunes:
                results[change.key] = Result(change, error=reason)
    return list(results.values())


def _told(late: dict[Key, str]) -> str:
    return "; ".join(f"{key}: {why}" for key, why in sorted(late.items())[:3])


async def _apply_step(
    step: Step,
    plan: Plan,
    client: Client,
    manager: str,
    wait: Callable[[Iterable[Key]], Awaitable[dict[Key, str]]],
    results: dict[Key, Result],
    applied: Callable[[Result], None],
    stuck: str,
) -> None:
    """Apply the changes of one step together; those that depend on others within it after them."""
    limit = asyncio.Semaphore(CONCURRENCY)
    done = {change.key: asyncio.Event() for change in step.changes}

    async def one(change: Change) -> None:
        needs = plan.depends.get(change.key, ())
        for key in needs:
            if key in done:
                await done[key].wait()
        blocked = stuck or next((k for k in needs if k in results and results[k].error), None)
        if blocked:
            result = Result(change, error=f"not started: {blocked} is not ready")
        elif needs and (late := await wait(needs)):
            result = Result(change, error=f"not started: {_told(late)}")
        else:
            async with limit:
                result = await _apply_one(change, client, manager)
        results[change.key] = result
        done[change.key].set()
        applied(result)

    async with asyncio.TaskGroup() as group:
        for change in step.changes:
            if change.action == "unchanged":
                done[change.key].set()
            else:
                group.create_task(one(change))


async def _apply_one(change: Change, client: Client, manager: str) -> Result:
    assert change.object is not None  # noqa: S101 - prunes are not steps
    try:
        obj = await client.apply(change.object, field_manager=manager, force=True)
    except ApiError as error:
        return Result(change, error=str(error))
    return Result(change, obj)


async def _prune(change: Change, client: Client) -> Result:
    kind = kinds.lookup(change.key.group, change.key.kind) or kinds.unknown(
        GroupVersionKind(change.key.group, "v1", change.key.kind),
        namespaced=bool(change.key.namespace),
    )
    try:
        await client.delete(
            kind, change.key.name, change.key.namespace,
            DeleteOptions(propagation=Propagation.BACKGROUND),
        )  # fmt: skip
    except NotFound:
        return Result(change)
    except ApiError as error:
        return Result(change, error=str(error))
    return Result(change)
