"""``pods/NAME/eviction``: a deletion that PodDisruptionBudgets may refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import errors
from reconciler.api import kinds
from reconciler.api.disruption import evict
from reconciler.api.pods import with_condition
from reconciler.clock import rfc3339

if TYPE_CHECKING:
    from reconciler.api.client import Client, DeleteOptions
    from reconciler.api.disruption import Refusal
    from reconciler.clock import Clock

#: In how many seconds a refused eviction is worth asking for again.
RETRY_AFTER = 10
_TRIES = 5
_MANAGER = "eviction"


async def evict_pod(
    client: Client, clock: Clock, name: str, namespace: str, options: DeleteOptions
) -> None:
    """Evict a Pod. Raises ``NotFound``, ``TooManyRequests`` where its budget has no room, ``Conflict``."""
    for left in reversed(range(_TRIES)):
        try:
            await _try(client, clock, name, namespace, options)
        except errors.Conflict:
            # The budget or the Pod changed in between: what it allows is asked again.
            if not left:
                raise
        else:
            return


async def _try(
    client: Client, clock: Clock, name: str, namespace: str, options: DeleteOptions
) -> None:
    pod = await client.get(kinds.POD, name, namespace)
    budgets = (await client.list(kinds.POD_DISRUPTION_BUDGET, namespace)).items
    eviction = evict(pod, budgets, clock.now())
    if eviction.refusal is not None:
        raise _refused(eviction.refusal, name)
    if options.dry_run:
        return
    if eviction.budget is not None:
        # Conditional on the budget as it was seen: two evictions never take the same place.
        budget = {**eviction.budget, "status": eviction.status}
        await client.update(budget, subresource="status", field_manager=_MANAGER)
    status = pod.get("status") or {}
    if not pod["metadata"].get("deletionTimestamp"):
        disrupted: dict[str, Any] = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
            "lastTransitionTime": rfc3339(clock.now()),
        }
        conditions = with_condition(status.get("conditions") or [], disrupted)
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": conditions}}
        await client.patch(
            kinds.POD, name, namespace, patch, subresource="status", field_manager=_MANAGER
        )
    await client.delete(
        kinds.POD, name, namespace, options._replace(uid=options.uid or pod["metadata"]["uid"])
    )


def _refused(refusal: Refusal, pod: str) -> errors.ApiError:
    if not refusal.later:
        return errors.ApiError(refusal.message, kind="pods", name=pod)
    causes = (errors.Cause("DisruptionBudget", refusal.cause, ""),)
    return errors.TooManyRequests(refusal.message, causes=causes, retry_after=RETRY_AFTER)
