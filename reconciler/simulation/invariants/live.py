"""The objects that the store holds, by their kind: what every invariant looks at."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.api.objects import controller_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object


class Live:
    """Store keys and their objects. A key begins with ``/GROUP/KIND/``."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self._kinds: dict[str, dict[str, Object]] = defaultdict(dict)
        #: Faults that last and keep Pods from being ready, or from being seen as they are: nobody need be whole.
        self.disturbances = 0
        #: The same of evictions that are asked for: budgets must hold, the bounds of rollouts need not.
        self.evictions = 0

    def put(self, key: str, obj: Object) -> Object | None:
        """Take an object in; returns the one that was there."""
        before = self.objects.get(key)
        self.objects[key] = self._kinds[_kind(key)][key] = obj
        return before

    def remove(self, key: str) -> Object | None:
        """Take an object out and return it."""
        self._kinds[_kind(key)].pop(key, None)
        return self.objects.pop(key, None)

    def of(self, group: str, kind: str) -> Iterable[Object]:
        """Return every object of a kind."""
        return self._kinds[f"{group}/{kind}"].values()

    def owned(self, group: str, kind: str, uid: str) -> list[Object]:
        """Return the objects of a kind whose controller has this uid."""
        return [o for o in self.of(group, kind) if (controller_of(o) or {}).get("uid") == uid]

    def pods_of(self, owner: Object) -> list[Object]:
        """Return every Pod of a workload; a Deployment's are those of its ReplicaSets."""
        uid = owner["metadata"]["uid"]
        if owner["kind"] != "Deployment":
            return self.owned("", "Pod", uid)
        sets = {s["metadata"]["uid"] for s in self.owned("apps", "ReplicaSet", uid)}
        return [p for p in self.of("", "Pod") if (controller_of(p) or {}).get("uid") in sets]


def _kind(key: str) -> str:
    return "/".join(key.split("/", 3)[1:3])
