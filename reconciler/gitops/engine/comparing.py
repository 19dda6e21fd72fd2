"""What is wanted against what is: the changes that a sync would make. Reads through the Client, writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ApiError, Invalid, NotFound
from reconciler.gitops.diff import diff
from reconciler.gitops.engine import desired, rolls
from reconciler.gitops.plan import Change
from reconciler.gitops.plan.refusal import refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.shared import Shared


#: So many objects are compared before others get their turn: a few milliseconds.
AT_ONCE = 32
#: An object that somebody else writes all the time is compared as it was after so many tries.
MOVING_TRIES = 3


class Comparer:
    """Compares one Application's objects; only those that moved, on either side, cost anything (decision 7)."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name
        self._verified: dict[Key, tuple[str, str]] = {}
        self._dirty: set[Key] = set()
        self._differing: set[Key] = set()
        self._unfollowed: dict[Key, Object] = {}

    def moved(self, keys: Iterable[Key]) -> None:
        """Look at these again: they changed, or their manifests did."""
        self._dirty.update(keys)

    async def compare(
        self, wanted: Mapping[Key, desired.Wanted], *, everything: bool
    ) -> list[Change]:
        """Return the change of every object that moved, or of every object; what differed stays in view until it does not."""
        keys = wanted if everything else self._dirty | self._differing
        self._dirty = set()
        changes = await self.look({k: wanted[k] for k in keys if k in wanted})
        # What differs and is not put back now must still count as different the next time.
        self._differing = {c.key for c in changes if c.action != "unchanged"}
        return changes

    async def look(self, wanted: Mapping[Key, desired.Wanted]) -> list[Change]:
        """Return the change of every object that is not known to be as it is wanted; what is in view stays so."""
        changes: list[Change] = []
        for key, one in wanted.items():
            if not self._is_verified(key, one):
                changes.append(await self._one(key, one))
                if len(changes) % AT_ONCE == 0:
                    # A first look at thousands must not keep everybody else waiting.
                    await self._shared.clock.sleep(0)
        return changes

    def applied(self, key: Key, wanted: desired.Wanted, obj: Object) -> None:
        """Remember that an object is as it is wanted, since it was just applied."""
        if not self._shared.cache.follows(wanted.kind):
            self._unfollowed[key] = obj
        self._verified[key] = (wanted.digest, _version(obj))

    @property
    def differing(self) -> AbstractSet[Key]:
        """What was found to differ at the last look, and was not settled since."""
        return self._differing

    def settled(self, keys: Iterable[Key]) -> None:
        """These were just applied or deleted."""
        self._differing.difference_update(keys)

    async def live(self, key: Key, kind: Kind) -> Object | None:
        """Return an object as it is now."""
        if self._shared.cache.follows(kind):
            return self._shared.cache.snapshot.get(kind, key.namespace, key.name)
        try:
            found = await self._shared.client.get(kind, key.name, key.namespace)
        except NotFound:
            self._unfollowed.pop(key, None)
            return None
        self._unfollowed[key] = found
        return found

    def seen(self, key: Key) -> Object | None:
        """Return an object of a kind that the cache does not follow, as it was when it was looked at last."""
        return self._unfollowed.get(key)

    def _is_verified(self, key: Key, wanted: desired.Wanted) -> bool:
        """Whether an object was compared already, just as it is wanted and just as it is."""
        seen = self._verified.get(key)
        if seen is None or not self._shared.cache.follows(wanted.kind):
            return False
        live = self._shared.cache.snapshot.get(wanted.kind, key.namespace, key.name)
        return live is not None and seen == (wanted.digest, live["metadata"].get("resourceVersion"))

    async def _one(self, key: Key, wanted: desired.Wanted) -> Change:
        live = await self.live(key, wanted.kind)
        if live is None:
            self._verified.pop(key, None)
            return Change("create", key, wanted.object, cause="it does not exist")
        if self._verified.get(key) == (wanted.digest, _version(live)):
            return Change("unchanged", key, wanted.object)
        obj = rolls.carried(wanted, live)
        try:
            live, obj, merged = await self._merged(key, wanted, live)
        except Invalid as error:
            # The apply will be refused as well, in the report of the sync.
            return Change("update", key, obj, cause=refusal_of(error), live=live)
        except ApiError:
            return Change("update", key, obj, cause="it cannot be compared", live=live)
        fields = diff(live, merged, mask=self._shared.mask)
        if not fields:
            self._verified[key] = (wanted.digest, _version(live))
            return Change("unchanged", key, wanted.object)
        first = ", ".join(f.path for f in fields[:3])
        return Change("update", key, obj, fields, f"{first} differs", live, merged)

    async def _merged(
        self, key: Key, wanted: desired.Wanted, live: Object
    ) -> tuple[Object, Object, Object]:
        """Return an object as it is, what is applied to it, and what an apply would leave, all of one revision.

        The cache may be behind the store: what a controller wrote meanwhile must not look like drift.
        """
        for _ in range(MOVING_TRIES):
            obj = rolls.carried(wanted, live)
            merged = await self._shared.client.apply(
                obj, field_manager=desired.manager_of(self._name), force=True,
                dry_run=True,
            )  # fmt: skip
            if _version(merged) == _version(live):
                break
            live = await self._shared.client.get(wanted.kind, key.name, key.namespace)
        return live, obj, merged


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion"))
