"""Gathers what the guards decide about: whose objects are, and what may be pruned. Reads the cache, decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.api import kinds
from reconciler.api.objects import is_deleting
from reconciler.gitops.engine.desired import is_bare_namespace
from reconciler.gitops.engine.policy.ownership import Claim, Refusal, owner_of, refusal
from reconciler.gitops.engine.policy.pruning import Pruning, pruning
from reconciler.gitops.plan import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Key, Object
    from reconciler.gitops.engine.claims import Claims
    from reconciler.gitops.engine.policy import Policy
    from reconciler.gitops.engine.reading import Reading
    from reconciler.gitops.engine.shared import Shared


class Owned(NamedTuple):
    """Changes that may be made, and objects that are left alone with the reason."""

    changes: list[Change]
    refusals: tuple[Refusal, ...]
    ignored: frozenset[Key]


class Guards:
    """The guards of one Application."""

    def __init__(self, shared: Shared, name: str, claims: Claims) -> None:
        self._shared = shared
        self._name = name
        self._claims = claims

    def live(self, key: Key) -> Object | None:
        """Return an object as the cache shows it; None also for kinds that it does not follow."""
        kind = kinds.lookup(key.group, key.kind)
        if kind is None or not self._shared.cache.follows(kind):
            return None
        return self._shared.cache.snapshot.get(kind, key.namespace, key.name)

    def is_mine(self, live: Object | None) -> bool:
        """Whether an object carries our mark."""
        return owner_of(live) == self._name

    def owned(self, changes: Iterable[Change], reading: Reading, *, adopt: bool) -> Owned:
        """Part the changes of our own objects from those of others'."""
        mine, refused, ignored = [], [], set()
        for change in changes:
            live = self.live(change.key)
            if not self.is_mine(live) and self._is_common(change, live, reading):
                ignored.add(change.key)
                continue
            why = self._refusal(change, live, adopt=adopt)
            if why is None:
                mine.append(change)
            else:
                refused.append(why)
        return Owned(mine, tuple(refused), frozenset(ignored))

    def _is_common(self, change: Change, live: Object | None, reading: Reading) -> bool:
        """Whether it is a Namespace that is only to be there, and somebody else has made it: that one keeps it."""
        if change.object is None or not is_bare_namespace(change.object):
            return False
        return live is not None and (change.key == reading.implied or bool(owner_of(live)))

    def _refusal(self, change: Change, live: Object | None, *, adopt: bool) -> Refusal | None:
        if change.action == "unchanged" or change.object is None:
            return None
        if live is None and is_bare_namespace(change.object):
            return None  # who needs it first makes it: the other may wait for us
        owner = owner_of(live)
        if owner == self._name:
            return None
        find = self._shared.cache.snapshot.get
        exists = bool(owner) and find(kinds.APPLICATION, "", owner) is not None
        claim = Claim(self._claims.claimants(change.key), exists, self._claims.has_read(owner))
        return refusal(self._name, change.key, change.object, live, claim, adopt=adopt)

    def pruning(
        self, inventory: Iterable[Key], reading: Reading, policy: Policy, confirmed: str
    ) -> Pruning:
        """Decide what of the inventory goes; what another Application wants is handed to it, not deleted."""
        wanted, hooks = reading.wanted, reading.hooks
        candidates, total = [], 0
        for key in inventory:
            if key in wanted or key in hooks:
                total += 1
                continue
            live = self.live(key)
            if live is None or not self.is_mine(live) or is_deleting(live):
                continue
            total += 1
            if not self._claims.claimants(key):
                candidates.append((key, live))
        return pruning(
            candidates, wanted=len(wanted), total=total, automated=policy.prune,
            limit=policy.prune_limit, confirmed=confirmed,
        )  # fmt: skip

    def prunes(self, found: Pruning) -> list[Change]:
        """Return the changes that delete."""
        return [
            Change("prune", key, None, cause="no manifest asks for it", live=self.live(key))
            for key in found.prunes
        ]
