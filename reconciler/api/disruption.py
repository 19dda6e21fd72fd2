"""What a PodDisruptionBudget allows, and whether a Pod may be evicted now. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import selectors
from reconciler.api.objects import is_deleting, labels_of, meta, name_of
from reconciler.api.pods import is_finished, is_ready, phase
from reconciler.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object

#: How long an evicted Pod counts as gone though it is still there, in seconds.
DELETION_TIMEOUT = 120.0
#: So many evictions may be under way at once.
MOST_DISRUPTED = 2000


class Refusal(NamedTuple):
    """Why a Pod may not be evicted. ``later``: asking again in some seconds may help."""

    message: str
    cause: str = ""
    later: bool = False


class Eviction(NamedTuple):
    """May this Pod go? Without a ``refusal`` it may, once ``status`` (where given) is the budget's."""

    budget: Object | None = None
    status: dict[str, Any] | None = None
    refusal: Refusal | None = None


def covers(budget: Object, pod: Object) -> bool:
    """Whether a budget is about a Pod; an empty selector is about all, a missing one about none."""
    return selectors.from_object(budget["spec"].get("selector")).matches(labels_of(pod))


def evict(pod: Object, budgets: Iterable[Object], now: float) -> Eviction:
    """Decide about one Pod, given the budgets of its namespace (KEP-85)."""
    if is_finished(pod) or phase(pod) == "Pending" or is_deleting(pod):
        return Eviction()
    found = [budget for budget in budgets if covers(budget, pod)]
    if not found:
        return Eviction()
    if len(found) > 1:
        told = (
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support."
        )
        return Eviction(refusal=Refusal(told))
    budget = found[0]
    status = budget.get("status") or {}
    if not is_ready(pod) and _unhealthy_may_go(budget, status):
        return Eviction()
    return _take_one(budget, status, pod, now)


def _unhealthy_may_go(budget: Object, status: dict[str, Any]) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = int(status.get("desiredHealthy") or 0)
    return desired > 0 and int(status.get("currentHealthy") or 0) >= desired


def _take_one(budget: Object, status: dict[str, Any], pod: Object, now: float) -> Eviction:
    name = name_of(budget)
    told = "Cannot evict pod as it would violate the pod's disruption budget."
    if int(status.get("observedGeneration") or 0) < int(meta(budget).get("generation") or 0):
        cause = f"The disruption budget {name} is still being processed by the server."
        return Eviction(refusal=Refusal(told, cause, later=True))
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > MOST_DISRUPTED:
        return Eviction(refusal=Refusal("DisruptedPods map too big - too many evictions"))
    allowed = int(status.get("disruptionsAllowed") or 0)
    if allowed <= 0:
        cause = (
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods and has "
            f"{status.get('currentHealthy', 0)} currently"
        )
        return Eviction(refusal=Refusal(told, cause, later=True))
    after = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, name_of(pod): rfc3339(now)},
    }
    return Eviction(budget, after)


def still_disrupted(
    budget: Object, pods: Iterable[Object], now: float
) -> tuple[dict[str, str], float | None]:
    """Return the evicted Pods that are still to go, and in how many seconds the next one is given up on."""
    by_name = {name_of(pod): pod for pod in pods}
    kept: dict[str, str] = {}
    recheck: float | None = None
    for name, at in ((budget.get("status") or {}).get("disruptedPods") or {}).items():
        pod = by_name.get(name)
        left = parse_rfc3339(at) + DELETION_TIMEOUT - now
        if pod is None or is_deleting(pod) or left <= 0:
            continue
        kept[name] = at
        recheck = left if recheck is None else min(recheck, left)
    return kept, recheck
