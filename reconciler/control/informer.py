"""The informer: list, then watch, then list again where the watch was lost; the newest state of every kind in memory."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from reconciler.api.client import EventType
from reconciler.control.index import Index, Place
from reconciler.errors import ApiError, Gone, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.api.client import Client
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

#: Wait between two tries to list, in seconds.
RETRY_SECONDS = 1.0


class LiveSnapshot:
    """``api.decision.Snapshot`` over the informer's indexes: always the newest state."""

    def __init__(self, indexes: dict[tuple[str, str], Index], kinds: tuple[Kind, ...]) -> None:
        self._indexes = indexes
        self._kinds = kinds

    def _index(self, kind: Kind) -> Index:
        try:
            return self._indexes[kind.group, kind.kind]
        except KeyError:
            raise LookupError(f"{kind} is not watched") from None

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._index(kind).objects.get((namespace, name))

    def list(self, kind: Kind, namespace: str | None = None) -> Iterable[Object]:
        return list(self._index(kind).list(namespace))

    def owned(self, kind: Kind, uid: str) -> Iterable[Object]:
        return list(self._index(kind).owned(uid))

    def matching(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Iterable[Object]:
        return list(self._index(kind).matching(namespace, labels))

    def selecting(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Iterable[Object]:
        return list(self._index(kind).selecting(namespace, labels))

    def kinds(self) -> tuple[Kind, ...]:
        return self._kinds


class _Followed:
    """One kind: its index, who listens, and how far it has come."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.index = Index()
        self.callbacks: list[Callable[[Object | None, Object | None], None]] = []
        self.revision = 0
        self.listed = asyncio.Event()
        self.waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []


class InformerCache:
    """The newest state of some kinds, kept by watches. Zero-copy: what it returns is shared."""

    def __init__(self, client: Client, kinds: Iterable[Kind], *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._followed = {(k.group, k.kind): _Followed(k) for k in kinds}
        self.snapshot = LiveSnapshot(
            {gk: f.index for gk, f in self._followed.items()},
            tuple(f.kind for f in self._followed.values()),
        )

    async def run(self) -> None:
        """Follow every kind until cancelled."""
        async with asyncio.TaskGroup() as group:
            for followed in self._followed.values():
                group.create_task(self._follow(followed), name=f"informer-{followed.kind.plural}")

    def unlisted(self) -> list[str]:
        """Return the kinds that were not listed yet, by their plural names."""
        return [f.kind.plural for f in self._followed.values() if not f.listed.is_set()]

    async def synced(self) -> None:
        """Return when every kind was listed once."""
        for followed in self._followed.values():
            await followed.listed.wait()

    def subscribe(
        self, kind: Kind, callback: Callable[[Object | None, Object | None], None]
    ) -> None:
        """Call back (old, new) after each change of a kind, in order; None stands for absent."""
        self._followed[kind.group, kind.kind].callbacks.append(callback)

    def unsubscribe(
        self, kind: Kind, callback: Callable[[Object | None, Object | None], None]
    ) -> None:
        self._followed[kind.group, kind.kind].callbacks.remove(callback)

    def follows(self, kind: Kind) -> bool:
        return (kind.group, kind.kind) in self._followed

    async def reached(self, kind: Kind, revision: int) -> None:
        """Return when the cache shows a revision of a kind: what was written is read back."""
        followed = self._followed.get((kind.group, kind.kind))
        if followed is not None and followed.revision < revision:
            await self._wait(followed, lambda: followed.revision >= revision)

    async def wait_for(
        self, kind: Kind, namespace: str, name: str, predicate: Callable[[Object | None], bool]
    ) -> Object | None:
        """Return an object as soon as ``predicate`` likes it (None: it is absent)."""
        followed = self._followed[kind.group, kind.kind]
        place = (namespace, name)
        if not predicate(followed.index.objects.get(place)):
            await self._wait(followed, lambda: predicate(followed.index.objects.get(place)))
        return followed.index.objects.get(place)

    @staticmethod
    async def _wait(followed: _Followed, true: Callable[[], bool]) -> None:
        future = asyncio.get_running_loop().create_future()
        entry = (true, future)
        followed.waiting.append(entry)
        try:
            await future
        finally:
            if entry in followed.waiting:
                followed.waiting.remove(entry)

    async def _follow(self, followed: _Followed) -> None:
        while True:
            try:
                listed = await self._client.list(followed.kind)
                self._replace(followed, listed.items, int(listed.resource_version or 0))
                followed.listed.set()
                events = self._client.watch(
                    followed.kind, since=listed.resource_version, bookmarks=True
                )
                async with aclosing(events):
                    async for event in events:
                        self._take(followed, event.type, event.object)
            except Gone:
                continue
            except ApiError as error:
                log.warning("watch lost", kind=followed.kind.plural, error=str(error))
            except ReconcilerError as error:
                log.warning("cannot list", kind=followed.kind.plural, error=str(error))
            await self._clock.sleep(RETRY_SECONDS)

    def _replace(self, followed: _Followed, items: list[Object], revision: int) -> None:
        """Take a whole list: what is not in it is gone."""
        new = {_place(obj): obj for obj in items}
        for place in [p for p in followed.index.objects if p not in new]:
            self._tell(followed, followed.index.remove(place), None)
        for place, obj in new.items():
            old = followed.index.put(place, obj)
            if old is None or _revision(old) != _revision(obj):
                self._tell(followed, old, obj)
        self._came_to(followed, revision)

    def _take(self, followed: _Followed, kind: EventType, obj: Object) -> None:
        if kind is EventType.DELETED:
            old = followed.index.remove(_place(obj))
            if old is not None:
                self._tell(followed, obj, None)
        elif kind is not EventType.BOOKMARK:
            self._tell(followed, followed.index.put(_place(obj), obj), obj)
        self._came_to(followed, _revision(obj))

    @staticmethod
    def _tell(followed: _Followed, old: Object | None, new: Object | None) -> None:
        for callback in followed.callbacks:
            callback(old, new)

    @staticmethod
    def _came_to(followed: _Followed, revision: int) -> None:
        followed.revision = max(followed.revision, revision)
        if followed.waiting:
            for entry in list(followed.waiting):
                true, future = entry
                if not future.done() and true():
                    future.set_result(None)


def _place(obj: Object) -> Place:
    meta = obj["metadata"]
    return (meta.get("namespace") or "", meta["name"])


def _revision(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)
