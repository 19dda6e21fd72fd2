"""What must hold after every write, whatever has gone wrong. Pure: told of writes, answers with what is broken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from reconciler.simulation.invariants.budgets import Budgets
from reconciler.simulation.invariants.live import Live
from reconciler.simulation.invariants.rollouts import Rollouts
from reconciler.simulation.invariants.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.objects import Object
    from reconciler.store.protocol import Record

_decode = msgspec.json.Decoder().decode
#: CronJobs never rest, and Events go when their time is up: what is written of them is not counted as unrest.
_RESTLESS = "cronjob-"


class Invariants:
    """Follows the store's records and collects what they break; the first is the story's end."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.live = Live()
        self.broken: list[str] = []
        self.revision = 0  # of the newest write that is not a CronJob's
        self.rollouts = Rollouts(self.live, self.broken, now)
        self.budgets = Budgets(self.live, self.broken)
        self.runs = Runs(self.live, self.broken, now)
        self._dead: set[str] = set()
        self._wanted: dict[str, float] = {}  # store key → since when the repository holds it
        self._born: dict[str, float] = {}  # uid → when it was first kept
        self._given_up: set[str] = set()  # uids of what somebody deleted by hand

    def want(self, keys: Iterable[str]) -> None:
        """Take note of what the repository holds from now on."""
        self._wanted = {k: self._wanted.get(k, self._now()) for k in keys}

    def give_up(self, uid: str) -> None:
        """Somebody deletes an object that the repository holds: its end is not the engine's doing."""
        self._given_up.add(uid)

    def disturb(self) -> None:
        """A fault takes Pods away by itself: who was whole need not be until it is again."""
        self.rollouts.disturb()
        self.budgets.disturb()

    def took(self, record: Record) -> None:
        """Check one record that the store has kept."""
        key = record.key
        if record.value is None:
            before, after = self.live.remove(key), None
            if before is not None:
                self._removed(key, before)
        else:
            after = _decode(record.value)
            before = self.live.put(key, after)
            self._kept(key, after)
        if not _is_restless(key) and (record.value or not key.startswith("//Event/")):
            self.revision = record.revision
        _, _, kind, _ = key.split("/", 3)
        self.rollouts.check(kind, before, after)
        self.budgets.check(kind)
        self.runs.check(kind, before, after)

    def _removed(self, key: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._dead.add(uid)
        if key.startswith("//PersistentVolumeClaim/"):
            self.broken.append(f"data was deleted: {key}")
        since = self._wanted.get(key)
        # What left the repository and came back is younger there than here: its prune was right when it was planned.
        if (
            since is not None
            and since <= self._born.get(uid, math.inf)
            and uid not in self._given_up
        ):
            self.broken.append(f"the repository holds {key} and it was deleted")

    def _kept(self, key: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._born.setdefault(uid, self._now())
        if uid in self._dead:
            self.broken.append(f"{key} is back with the uid of one that was deleted")

    def written_after(self, revision: int) -> list[str]:
        """Return the keys of what was written after a revision and is still there; CronJobs aside."""
        return [
            k
            for k, o in self.live.objects.items()
            if int(o["metadata"]["resourceVersion"]) > revision and not _is_restless(k)
        ]

    def lost(self) -> list[str]:
        """Return what the repository holds and is not there; for a world at rest."""
        return [f"{key} is not there" for key in self._wanted if key not in self.live.objects]

    def orphans(self) -> list[str]:
        """Return what has an owner that is not there; for a world at rest."""
        objects = self.live.objects
        uids = {o["metadata"]["uid"] for o in objects.values()}
        return [
            f"{key} belongs to {owner['kind']} {owner['name']}, which is gone"
            for key, obj in objects.items()
            for owner in obj["metadata"].get("ownerReferences") or ()
            if owner["uid"] not in uids
        ]


def _is_restless(key: str) -> bool:
    return key.rpartition("/")[2].startswith(_RESTLESS)
