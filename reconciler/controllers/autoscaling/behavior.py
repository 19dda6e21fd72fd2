"""How fast a size may change: stabilisation windows and scaling policies (KEP-853). Pure numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.quantities import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Percent", "value": 100, "periodSeconds": 15},
        {"type": "Pods", "value": 4, "periodSeconds": 15},
    ],
}
_DOWN: dict[str, Any] = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
#: How far usage may be off its target without consequence.
TOLERANCE = 0.1


class Event(NamedTuple):
    """A time (seconds since the epoch) and a number: a recommendation, or by how much a size was changed."""

    at: float
    number: int


class History(NamedTuple):
    """What an autoscaler remembers: recommendations, and changes up and down."""

    recommended: tuple[Event, ...] = ()
    up: tuple[Event, ...] = ()
    down: tuple[Event, ...] = ()

    def after(self, before: int, size: int, now: float) -> History:
        """Remember a change of size."""
        if size > before:
            return self._replace(up=(*self.up, Event(now, size - before)))
        if size < before:
            return self._replace(down=(*self.down, Event(now, before - size)))
        return self


class Rules(NamedTuple):
    """One direction's rules."""

    window: float
    select: str
    policies: tuple[dict[str, Any], ...]
    tolerance: float

    @property
    def longest(self) -> float:
        return max((float(p["periodSeconds"]) for p in self.policies), default=0.0)


def rules(spec: dict[str, Any], direction: str) -> Rules:
    """Return the rules of ``scaleUp`` or ``scaleDown``, with what Kubernetes takes where nothing is said."""
    defaults = _UP if direction == "scaleUp" else _DOWN
    said = (spec.get("behavior") or {}).get(direction) or {}
    merged = {**defaults, **{k: v for k, v in said.items() if v is not None}}
    tolerance = merged.get("tolerance")
    return Rules(
        float(merged["stabilizationWindowSeconds"]), str(merged["selectPolicy"]),
        tuple(merged["policies"]), TOLERANCE if tolerance is None else _number(tolerance),
    )  # fmt: skip


def _number(value: Any) -> float:
    return float(parse(value))


class Size(NamedTuple):
    """The size after the rules, and what they had to say: reasons and messages of conditions."""

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str] | None
    history: History


def settle(
    current: int, wanted: int, least: int, most: int, up: Rules, down: Rules,
    history: History, now: float,
) -> Size:  # fmt: skip
    """Return the size to take now for one that is wanted."""
    history = _forget(history, up, down, now)
    stable, able = _stabilise(current, wanted, up, down, history, now)
    history = history._replace(recommended=(*history.recommended, Event(now, wanted)))
    if stable > current:
        bound = max(current, _most(current, up, history, now))
        allowed = min(bound, most)
        limited = (
            "ScaleUpLimit",
            "the desired replica count is increasing faster than the maximum scale rate",
        )
        if most <= bound:
            limited = (
                "TooManyReplicas",
                "the desired replica count is more than the maximum replica count",
            )
        return Size(min(stable, allowed), able, limited if stable > allowed else None, history)
    bound = min(current, _least(current, down, history, now))
    allowed = max(bound, least)
    limited = (
        "ScaleDownLimit",
        "the desired replica count is decreasing faster than the maximum scale rate",
    )
    if least >= bound:
        limited = (
            "TooFewReplicas",
            "the desired replica count is less than the minimum replica count",
        )
    return Size(max(stable, allowed), able, limited if stable < allowed else None, history)


def _stabilise(
    current: int, wanted: int, up: Rules, down: Rules, history: History, now: float
) -> tuple[int, tuple[str, str]]:
    """Take the lowest of what was lately wanted before growing, the highest before shrinking."""
    lowest = min([wanted, *_numbers(history.recommended, now - up.window)])
    highest = max([wanted, *_numbers(history.recommended, now - down.window)])
    found = min(max(current, lowest), highest)
    if found == wanted:
        return found, ("ReadyForNewScale", "recommended size matches current size")
    if wanted < found:
        return found, (
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        )
    return found, (
        "ScaleUpStabilized",
        "recent recommendations were lower than current one, applying the lowest recent recommendation",
    )


def _numbers(events: Iterable[Event], since: float) -> list[int]:
    return [event.number for event in events if event.at > since]


def _start(current: int, period: float, history: History, now: float) -> int:
    """Return the size at the beginning of a policy's period."""
    since = now - period
    return current - sum(_numbers(history.up, since)) + sum(_numbers(history.down, since))


def _most(current: int, up: Rules, history: History, now: float) -> int:
    if up.select == "Disabled":
        return current
    found = []
    for policy in up.policies:
        start = _start(current, float(policy["periodSeconds"]), history, now)
        if policy["type"] == "Pods":
            found.append(start + int(policy["value"]))
        else:
            found.append(math.ceil(start * (1 + int(policy["value"]) / 100)))
    return min(found) if up.select == "Min" else max(found)


def _least(current: int, down: Rules, history: History, now: float) -> int:
    if down.select == "Disabled":
        return current
    found = []
    for policy in down.policies:
        start = _start(current, float(policy["periodSeconds"]), history, now)
        if policy["type"] == "Pods":
            found.append(start - int(policy["value"]))
        else:
            found.append(int(start * (1 - int(policy["value"]) / 100)))
    return max(found) if down.select == "Min" else min(found)


def _forget(history: History, up: Rules, down: Rules, now: float) -> History:
    """Drop what no window and no period reaches back to: the memory of an autoscaler is bounded.

    What lies ahead is of before the clock was set back, and is dropped, too.
    """
    window, longest = max(up.window, down.window), max(up.longest, down.longest)
    return History(
        tuple(e for e in history.recommended if now - window < e.at <= now),
        tuple(e for e in history.up if now - longest < e.at <= now),
        tuple(e for e in history.down if now - longest < e.at <= now),
    )
