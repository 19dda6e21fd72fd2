"""How many Pods a Deployment, StatefulSet or DaemonSet may have too many and too few, and in which order they come."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from reconciler.api import pods
from reconciler.api.objects import controller_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.api.objects import Object
    from reconciler.simulation.invariants.live import Live

_KINDS = ("Deployment", "StatefulSet", "DaemonSet")
#: How long after a fault that takes Pods away somebody may still act on what was seen before it, in seconds.
_ECHO = 30.0

#: The replicas that are asked for and the way to update, as text: while either changes, no bound tells anything.
_Size = tuple[int, str]


class Rollouts:
    """Checks every workload whenever it or a Pod was written."""

    def __init__(self, live: Live, broken: list[str], now: Callable[[], float]) -> None:
        self._live, self._broken, self._now = live, broken, now
        self._steady: dict[str, _Size | None] = {}  # uid → its size, once it has come to that
        self._undisturbed: set[str] = (
            set()
        )  # uids of those that were whole and nobody touched since
        self._disturbed_at = -math.inf

    def disturb(self) -> None:
        """A fault takes Pods away: nobody need be whole until it is again."""
        self._undisturbed.clear()
        self._disturbed_at = self._now()

    def check(self, kind: str, before: Object | None, after: Object | None) -> None:
        """Check all, after a write of an object of this kind."""
        if kind != "Pod" and kind not in _KINDS:
            return
        for known in _KINDS:
            for obj in self._live.of("apps", known):
                self._bounds(obj)
        if kind == "Pod" and before is None and after is not None:
            self._order(after)

    def _bounds(self, obj: Object) -> None:
        uid, spec = obj["metadata"]["uid"], obj["spec"]
        replicas, (surge, unavailable) = _replicas(obj), bounds(obj)
        size = (replicas, json.dumps(_strategy(spec)))
        if self._steady.setdefault(uid, size) != size:
            self._steady[uid] = None
        mine = [p for p in self._live.pods_of(obj) if pods.is_active(p)]
        ready = sum(1 for p in mine if pods.is_ready(p))
        calm = not self._live.disturbances and not self._live.evictions
        if calm and ready == len(mine) == replicas and self._is_settled(obj):
            self._steady[uid] = size
            self._undisturbed.add(uid)
        if self._steady[uid] != size:
            self._undisturbed.discard(uid)
            return
        if len(mine) > replicas + surge:
            self._broken.append(
                f"{obj['kind']} {name_of(obj)} has {len(mine)} Pods; {replicas} and {surge} more may be"
            )
        if uid in self._undisturbed and ready < replicas - unavailable:
            self._broken.append(
                f"{obj['kind']} {name_of(obj)} has {ready} ready Pods of {replicas}; {unavailable} may be missing"
            )

    def _is_settled(self, obj: Object) -> bool:
        """Whether nothing is under way: of a Deployment, a ReplicaSet may still be on its way to a size of before."""
        status, replicas = obj.get("status") or {}, _replicas(obj)
        if not _is_observed(obj):
            return False
        if obj["kind"] != "Deployment":
            return True
        sets = self._live.owned("apps", "ReplicaSet", obj["metadata"]["uid"])
        return (
            status.get("updatedReplicas", 0) == status.get("replicas", 0) == replicas
            and sum(s["spec"].get("replicas", 1) for s in sets) == replicas
            and all(_is_observed(s) for s in sets)
        )

    def _order(self, pod: Object) -> None:
        """Check that a new Pod of an ordered StatefulSet, or of a Deployment that recreates, might come now."""
        if (
            self._live.disturbances
            or self._live.evictions
            or self._now() - self._disturbed_at < _ECHO
        ):
            return
        uid = (controller_of(pod) or {}).get("uid")
        for obj in self._live.of("apps", "StatefulSet"):
            if (
                obj["metadata"]["uid"] == uid
                and obj["spec"].get("podManagementPolicy") != "Parallel"
            ):
                self._after_those_below(pod, obj)
        for obj in self._live.of("apps", "Deployment"):
            if _strategy(obj["spec"]).get("type") == "Recreate" and self._steady.get(
                obj["metadata"]["uid"]
            ):
                self._after_those_of_before(pod, obj)

    def _after_those_below(self, pod: Object, obj: Object) -> None:
        ordinal = int(name_of(pod).rpartition("-")[2])
        ready = {
            name_of(p) for p in self._live.pods_of(obj) if pods.is_active(p) and pods.is_ready(p)
        }
        for below in range(ordinal):
            if f"{name_of(obj)}-{below}" not in ready:
                self._broken.append(
                    f"{name_of(pod)} was made, and {name_of(obj)}-{below} is not ready"
                )

    def _after_those_of_before(self, pod: Object, obj: Object) -> None:
        mine = [p for p in self._live.pods_of(obj) if not pods.is_finished(p)]
        if pod in mine and len({_hash(p) for p in mine}) > 1:
            self._broken.append(
                f"{name_of(pod)} was made while Pods of another template were there"
            )


def _replicas(obj: Object) -> int:
    return 1 if obj["kind"] == "DaemonSet" else int(obj["spec"].get("replicas", 1))


def _strategy(spec: dict[str, Any]) -> dict[str, Any]:
    return spec.get("strategy") or spec.get("updateStrategy") or {}


def _hash(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("pod-template-hash"))


def _is_observed(obj: Object) -> bool:
    seen = (obj.get("status") or {}).get("observedGeneration")
    return bool(seen == obj["metadata"].get("generation"))


def bounds(obj: Object) -> tuple[int, int]:
    """Return how many Pods a workload may have too many and too few (DP08: rounded up, and down)."""
    spec, replicas = obj["spec"], _replicas(obj)
    strategy = _strategy(spec)
    if strategy.get("type") == "OnDelete":
        return 0, 0
    if strategy.get("type") == "Recreate":
        return 0, replicas
    if obj["kind"] == "StatefulSet":
        return 0, 1
    rolling = strategy.get("rollingUpdate") or {}

    def of(value: int | str, rounded: Callable[[float], int]) -> int:
        if isinstance(value, int):
            return value
        return rounded(int(value.rstrip("%")) * replicas / 100)

    defaults: tuple[int | str, int | str] = (
        ("25%", "25%") if obj["kind"] == "Deployment" else (0, 1)
    )
    surge = of(rolling.get("maxSurge", defaults[0]), math.ceil)
    unavailable = of(rolling.get("maxUnavailable", defaults[1]), math.floor)
    return surge, unavailable if surge or unavailable else 1
