"""From what Pods use to how many there should be: one metric at a time. Pure.

``desired = ceil(current * usage / target)``, held back by a tolerance, and by what is not known: a Pod that is not
ready or not measured never makes the number move further than what is known does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import is_deleting, name_of, uid_of
from reconciler.api.pods import condition, phase
from reconciler.api.quantities import parse as quantity
from reconciler.clock import READ_LATER, parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.metrics import MetricsSource, PodUsage
    from reconciler.api.objects import Object

#: A Pod that is not ready is not counted for its CPU so long after its start, in seconds: it is warming up.
CPU_INITIALIZATION = 300.0
#: A Pod that was never ready after this many seconds had its first condition written late, in seconds.
INITIAL_READINESS_DELAY = 30.0


class NoMetric(Exception):
    """A metric cannot be had; ``reason`` is that of the condition ScalingActive."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Proposal(NamedTuple):
    """How many Pods a metric wants, what it is called, and its current value as the status shows it."""

    replicas: int
    name: str
    status: dict[str, Any]


class _Resource(NamedTuple):
    """One metric of a resource: ``container`` empty is the whole Pod."""

    name: str
    container: str
    target: dict[str, Any]
    type: str  # Resource or ContainerResource


class _Known(NamedTuple):
    """The Pods by what is known of them; amounts are millicores or bytes."""

    used: dict[str, float]
    unready: set[str]
    missing: set[str]
    pods: dict[str, Object]


def propose(
    metric: dict[str, Any], current: int, pods: Iterable[Object], source: MetricsSource,
    tolerance: tuple[float, float], now: float,
) -> Proposal:  # fmt: skip
    """Return what one metric of ``spec.metrics`` wants.

    ``tolerance`` is how far usage may be below and above its target without consequence, as fractions. Raises
    ``NoMetric``.
    """
    kind = str(metric.get("type"))
    if kind not in ("Resource", "ContainerResource"):
        told = f"metrics of type {kind} are not measured here: Resource and ContainerResource are"
        raise NoMetric(f"FailedGet{kind}Metric", told)
    body = metric.get("containerResource" if kind == "ContainerResource" else "resource") or {}
    wanted = _Resource(
        str(body.get("name")), str(body.get("container") or ""), body.get("target") or {}, kind
    )
    known = _sort(wanted, pods, source, now)
    if not known.used:
        told = f"no metrics returned for resource {wanted.name}: no Pod has been measured yet"
        raise NoMetric(f"FailedGet{kind}Metric", told)
    return _decide(wanted, current, known, tolerance)


def _sort(wanted: _Resource, pods: Iterable[Object], source: MetricsSource, now: float) -> _Known:
    known = _Known({}, set(), set(), {})
    for pod in pods:
        if is_deleting(pod) or phase(pod) in ("Failed", "Succeeded"):
            continue
        uid = uid_of(pod)
        known.pods[uid] = pod
        measured = source.usage(uid)
        amount = None if measured is None else _amount(wanted, measured)
        if phase(pod) == "Pending":
            known.unready.add(uid)
        elif measured is None or amount is None:
            known.missing.add(uid)
        elif wanted.name == "cpu" and _warms_up(pod, measured, now):
            known.unready.add(uid)
        else:
            known.used[uid] = amount
    return known


def _amount(wanted: _Resource, measured: PodUsage) -> float | None:
    found = [
        usage.cpu if wanted.name == "cpu" else float(usage.memory)
        for name, usage in measured.containers.items()
        if wanted.container in ("", name)
    ]
    return sum(found) if found and wanted.name in ("cpu", "memory") else None


def _warms_up(pod: Object, measured: PodUsage, now: float) -> bool:
    """Whether a Pod's CPU says nothing yet: it starts, or was not ready for the whole window."""
    ready = condition(pod, "Ready")
    start = (pod.get("status") or {}).get("startTime")
    if ready is None or start is None:
        return True
    begun, changed = parse_rfc3339(start), parse_rfc3339(ready.get("lastTransitionTime") or start)
    unready = ready.get("status") == "False"
    if begun > now + READ_LATER:
        return unready  # the clock was set back: how long ago it started is not known
    if now < begun + CPU_INITIALIZATION:
        return unready or measured.at < changed + measured.window
    return unready and changed < begun + INITIAL_READINESS_DELAY


def _request(wanted: _Resource, pod: Object) -> float:
    """Return what a Pod asks for, in millicores or bytes. Raises ``NoMetric`` where a container does not say."""
    total = 0.0
    for container in pod["spec"].get("containers") or ():
        if wanted.container not in ("", container.get("name")):
            continue
        asked = ((container.get("resources") or {}).get("requests") or {}).get(wanted.name)
        if asked is None:
            told = f"missing request for {wanted.name} in container {container.get('name')} of Pod {name_of(pod)}"
            raise NoMetric(f"FailedGet{wanted.type}Metric", told)
        total += float(quantity(asked)) * (1000 if wanted.name == "cpu" else 1)
    return total


def _decide(
    wanted: _Resource, current: int, known: _Known, tolerance: tuple[float, float]
) -> Proposal:
    value = sum(known.used.values()) / len(known.used)
    by_share = wanted.target.get("type") == "Utilization"
    requests = {uid: _request(wanted, pod) for uid, pod in known.pods.items()} if by_share else {}
    goal = _goal(wanted)

    def ratio(used: dict[str, float]) -> float:
        if not by_share:
            return sum(used.values()) / len(used) / goal
        total = sum(requests[uid] for uid in used)
        return sum(used.values()) * 100 / total / goal if total else 0.0

    first = ratio(known.used)
    shown: dict[str, Any] = {"averageValue": _shown(wanted.name, value)}
    name = f"{wanted.name} resource"
    if by_share:
        shown["averageUtilization"] = int(first * goal)
        name += " utilization (percentage of request)"
    wants = _replicas(current, first, ratio, known, requests, goal, tolerance)
    body = {"name": wanted.name, "current": shown}
    if wanted.container:
        body["container"] = wanted.container
    field = "containerResource" if wanted.type == "ContainerResource" else "resource"
    return Proposal(wants, name, {"type": wanted.type, field: body})


def _goal(wanted: _Resource) -> float:
    """Return the target: a percentage, or millicores, or bytes."""
    if wanted.target.get("type") == "Utilization":
        return float(wanted.target.get("averageUtilization") or 0) or 1.0
    asked = float(quantity(wanted.target.get("averageValue") or "1"))
    return asked * (1000 if wanted.name == "cpu" else 1)


def _shown(name: str, value: float) -> str:
    return f"{int(value)}m" if name == "cpu" else str(int(value))


def _replicas(
    current: int, first: float, ratio: Any, known: _Known, requests: dict[str, float],
    goal: float, tolerance: tuple[float, float],
) -> int:  # fmt: skip
    below, above = tolerance
    counts_unready = bool(known.unready) and first > 1.0
    if not counts_unready and not known.missing:
        if 1 - below <= first <= 1 + above:
            return current
        return math.ceil(first * len(known.used) - 1e-9)
    used = dict(known.used)
    for uid in known.missing:
        # What is not known is taken to speak against a change.
        if first < 1.0:
            used[uid] = requests[uid] * max(100.0, goal) / 100 if requests else goal
        elif first > 1.0:
            used[uid] = 0.0
    if counts_unready:
        used |= dict.fromkeys(known.unready, 0.0)
    second = ratio(used)
    turned = (first < 1.0 < second) or (second < 1.0 < first)
    if 1 - below <= second <= 1 + above or turned:
        return current
    wants = math.ceil(second * len(used) - 1e-9)
    against = (second < 1.0 and wants > current) or (second > 1.0 and wants < current)
    return current if against else wants
