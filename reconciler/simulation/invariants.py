"""What must hold after every write, whatever has gone wrong. Pure: it is told of writes and answers with what is broken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.api import pods
from reconciler.api.objects import controller_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.objects import Object
    from reconciler.store.protocol import Record

_decode = msgspec.json.Decoder().decode


class Invariants:
    """Follows the store's records and collects what they break; the first is the story's end."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.objects: dict[str, Object] = {}
        self.broken: list[str] = []
        #: Faults that last and keep Pods from being ready, or from being seen as they are: nobody need be whole.
        self.disturbances = 0
        self._dead: set[str] = set()
        self._wanted: dict[str, float] = {}  # store key → since when the repository holds it
        self._born: dict[str, float] = {}  # uid → when it was first kept
        self._steady: dict[
            str, int
        ] = {}  # uid of a Deployment → the replicas that it was born with
        self._undisturbed: set[str] = (
            set()
        )  # uids of Deployments that were whole and nobody has touched since

    def want(self, keys: Iterable[str]) -> None:
        """Take note of what the repository holds from now on."""
        self._wanted = {k: self._wanted.get(k, self._now()) for k in keys}

    def disturb(self) -> None:
        """A fault takes Pods away by itself: who was whole need not be until it is again."""
        self._undisturbed.clear()

    def took(self, record: Record) -> None:
        """Check one record that the store has kept."""
        before = self.objects.get(record.key)
        if record.value is None:
            self.objects.pop(record.key, None)
            if before is not None:
                self._removed(record.key, before)
        else:
            after = _decode(record.value)
            self.objects[record.key] = after
            self._kept(record.key, after)
        if "/Pod/" in record.key or "/Deployment/" in record.key:
            for deployment in self._kind("apps", "Deployment"):
                self._deployment(deployment)

    def _kind(self, group: str, kind: str) -> list[Object]:
        return [o for k, o in self.objects.items() if k.startswith(f"/{group}/{kind}/")]

    def _removed(self, key: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._dead.add(uid)
        if key.startswith("//PersistentVolumeClaim/"):
            self.broken.append(f"data was deleted: {key}")
        since = self._wanted.get(key)
        # What left the repository and came back is younger there than here: its prune was right when it was planned.
        if since is not None and since <= self._born.get(uid, math.inf):
            self.broken.append(f"the repository holds {key} and it was deleted")

    def _kept(self, key: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._born.setdefault(uid, self._now())
        if uid in self._dead:
            self.broken.append(f"{key} is back with the uid of one that was deleted")

    def pods_of(self, deployment: Object) -> list[Object]:
        """Return the Pods of a Deployment that have not ended and are not about to."""
        uid = deployment["metadata"]["uid"]
        sets = {
            s["metadata"]["uid"]
            for s in self._kind("apps", "ReplicaSet")
            if (controller_of(s) or {}).get("uid") == uid
        }
        return [
            p
            for p in self._kind("", "Pod")
            if (controller_of(p) or {}).get("uid") in sets and pods.is_active(p)
        ]

    def _deployment(self, deployment: Object) -> None:
        uid, spec = deployment["metadata"]["uid"], deployment["spec"]
        replicas = spec.get("replicas", 1)
        if self._steady.setdefault(uid, replicas) != replicas:
            self._steady[uid] = -1  # scaled: the bounds of before and after do not tell anything
        mine = self.pods_of(deployment)
        ready = sum(1 for p in mine if pods.is_ready(p))
        status = deployment.get("status") or {}
        whole = (
            status.get("observedGeneration") == deployment["metadata"].get("generation")
            and ready == len(mine) == replicas
            and status.get("updatedReplicas", 0) == status.get("replicas", 0) == replicas
            and self._sets_are_settled(uid, replicas)
        )
        if whole and not self.disturbances:
            self._steady[uid] = replicas
            self._undisturbed.add(uid)
        if self._steady[uid] != replicas:
            self._undisturbed.discard(uid)
            return
        surge, unavailable = bounds(spec, replicas)
        name = deployment["metadata"]["name"]
        if len(mine) > replicas + surge:
            self.broken.append(
                f"Deployment {name} has {len(mine)} Pods; {replicas} and {surge} more may be"
            )
        if uid in self._undisturbed and ready < replicas - unavailable:
            self.broken.append(
                f"Deployment {name} has {ready} ready Pods of {replicas}; {unavailable} may be missing"
            )

    def _sets_are_settled(self, uid: str, replicas: int) -> bool:
        """Whether nothing is under way in a Deployment's ReplicaSets: one may still be on its way to a size of before."""
        sets = [
            s
            for s in self._kind("apps", "ReplicaSet")
            if (controller_of(s) or {}).get("uid") == uid
        ]
        return sum(s["spec"].get("replicas", 1) for s in sets) == replicas and all(
            (s.get("status") or {}).get("observedGeneration") == s["metadata"].get("generation")
            for s in sets
        )

    def orphans(self) -> list[str]:
        """Return what has an owner that is not there; for a world at rest."""
        uids = {o["metadata"]["uid"] for o in self.objects.values()}
        return [
            f"{key} belongs to {owner['kind']} {owner['name']}, which is gone"
            for key, obj in self.objects.items()
            for owner in obj["metadata"].get("ownerReferences") or ()
            if owner["uid"] not in uids
        ]


def bounds(spec: dict[str, Any], replicas: int) -> tuple[int, int]:
    """Return how many Pods a rolling Deployment may have too many and too few (DP08: up, and down)."""
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}

    def of(value: int | str, rounded: Callable[[float], int]) -> int:
        if isinstance(value, int):
            return value
        return rounded(int(value.rstrip("%")) * replicas / 100)

    surge = of(rolling.get("maxSurge", "25%"), math.ceil)
    unavailable = of(rolling.get("maxUnavailable", "25%"), math.floor)
    return surge, unavailable if surge or unavailable else 1
