"""How many Pods at once: slow start, and the order in which Pods are deleted."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.api.objects import annotations_of, uid_of
from reconciler.api.pods import is_ready, phase, ready_since
from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.api.decision import Action
    from reconciler.api.objects import Object

#: At most so many Pods are created or deleted by one plan (R02).
BURST = 500
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


def slow_start(actions: Sequence[Action]) -> list[tuple[Action, ...]]:
    """Return batches of 1, 2, 4, 8 … (R02): what fails for one is not tried for hundreds.

    The executor drops what comes after a batch in which something failed.
    """
    batches: list[tuple[Action, ...]] = []
    at, size = 0, 1
    while at < len(actions):
        batches.append(tuple(actions[at : at + size]))
        at, size = at + size, size * 2
    return batches


def deletion_order(pods: Iterable[Object], now: float) -> list[Object]:
    """Sort Pods so that the first is the first to be deleted (R04, R05)."""
    pods = list(pods)
    siblings = Counter(pod["spec"].get("nodeName") or "" for pod in pods if is_ready(pod))

    def rank(pod: Object) -> tuple[Any, ...]:
        node = pod["spec"].get("nodeName") or ""
        since = ready_since(pod)
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        created = pod["metadata"].get("creationTimestamp")
        age = now - parse_rfc3339(created) if created else 0.0
        return (
            bool(node),
            _PHASE_RANK.get(phase(pod), 1),
            since is not None,
            _deletion_cost(pod),
            -siblings[node],
            _bucket(now - since) if since is not None else 0,
            -max((int(s.get("restartCount") or 0) for s in statuses), default=0),
            _bucket(age),
            uid_of(pod),
        )

    return sorted(pods, key=rank)


def _bucket(seconds: float) -> int:
    return int(math.log2(seconds)) if seconds >= 1 else -1


def _deletion_cost(pod: Object) -> int:
    try:
        return int(annotations_of(pod).get(_DELETION_COST) or 0)
    except ValueError:
        return 0
