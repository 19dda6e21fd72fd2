"""The recorder: Kubernetes Events about objects, counted when they repeat, never in the way of the work (E01).

Recording is a plain call that cannot fail. A task writes them; when it falls behind the oldest unwritten are dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

import structlog

from reconciler.api import kinds
from reconciler.api.objects import Object, meta
from reconciler.clock import parse_rfc3339, rfc3339
from reconciler.errors import AlreadyExists, ApiError, NotFound

if TYPE_CHECKING:
    from reconciler.api.client import Client
    from reconciler.api.decision import Notice
    from reconciler.clock import Clock

log = structlog.get_logger(__name__)

#: Unwritten events that are kept, and events whose count is remembered.
QUEUE = 10_000
REMEMBERED = 4_096
#: How long an Event is kept after it last happened, and how often the old ones are looked for, in seconds.
KEPT_SECONDS, SWEEP_SECONDS = 3_600.0, 600.0
#: An Event's message is cut here, as in Kubernetes.
LONGEST_MESSAGE = 1_024


class _Seen(NamedTuple):
    name: str
    times: int


class EventWriter:
    """Writes what all recorders record. One a process; ``run`` until cancelled."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._queue: deque[tuple[str, Notice, float]] = deque(maxlen=QUEUE)
        self._seen: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()
        self._arrived = asyncio.Event()
        self._swept = clock.now()

    def record(self, component: str, notice: Notice) -> None:
        self._queue.append((component, notice, self._clock.now()))
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                component, notice, at = self._queue.popleft()
                try:
                    await self._write(component, notice, at)
                except ApiError as error:
                    log.debug("event dropped", reason=notice.reason, error=str(error))
            await self._forget(self._clock.now())

    async def _forget(self, now: float) -> None:
        """Delete Events an hour after they last happened (G14).

        Looked for when others are written, and not more than every ten minutes: where nothing happens, nothing is
        written.
        """
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for event in (await self._client.list(kinds.EVENT)).items:
            if _last_seen(event) > now - KEPT_SECONDS:
                continue
            about = meta(event)
            try:
                await self._client.delete(kinds.EVENT, about["name"], about["namespace"])
            except ApiError as error:
                log.debug("event kept", about=about["name"], error=str(error))

    async def _write(self, component: str, notice: Notice, at: float) -> None:
        regarding = notice.regarding
        message = notice.message[:LONGEST_MESSAGE]
        namespace = meta(regarding).get("namespace") or "default"
        key = (
            component, meta(regarding).get("uid", ""), meta(regarding).get("name", ""),
            notice.type, notice.reason, message,
        )  # fmt: skip
        seen = self._seen.pop(key, None)
        if seen is not None:
            try:
                patch = {"count": seen.times + 1, "lastTimestamp": rfc3339(at)}
                await self._client.patch(kinds.EVENT, seen.name, namespace, patch)
            except NotFound:
                pass
            else:
                self._remember(key, _Seen(seen.name, seen.times + 1))
                return
        name = f"{key[2]}.{_suffix(key, at)}"[-253:]
        event = _event(component, notice, namespace, name, message, rfc3339(at))
        try:
            await self._client.create(event)
        except AlreadyExists:
            await self._client.patch(kinds.EVENT, name, namespace, {"lastTimestamp": rfc3339(at)})
        self._remember(key, _Seen(name, 1))

    def _remember(self, key: tuple[str, ...], seen: _Seen) -> None:
        self._seen[key] = seen
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _last_seen(event: Object) -> float:
    """Return when an Event last happened; one that does not say was made then."""
    text = event.get("lastTimestamp") or event.get("eventTime") or meta(event)["creationTimestamp"]
    try:
        return parse_rfc3339(str(text))
    except ValueError:
        return parse_rfc3339(meta(event)["creationTimestamp"])


def _suffix(key: tuple[str, ...], at: float) -> str:
    """Return what makes an Event's name its own: in Kubernetes nanoseconds in hex, here a digest of what and when."""
    return hashlib.sha256(repr((key, at)).encode()).hexdigest()[:16]


def _event(
    component: str, notice: Notice, namespace: str, name: str, message: str, at: str
) -> Object:
    regarding = notice.regarding
    involved = {
        "apiVersion": regarding.get("apiVersion", ""),
        "kind": regarding.get("kind", ""),
        "name": meta(regarding).get("name", ""),
    }
    for field in ("namespace", "uid", "resourceVersion"):
        if meta(regarding).get(field):
            involved[field] = meta(regarding)[field]
    if "fieldPath" in regarding:
        involved["fieldPath"] = regarding["fieldPath"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "type": notice.type,
        "reason": notice.reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


class Recorder:
    """Records Events in the name of one component."""

    def __init__(self, writer: EventWriter, component: str) -> None:
        self._writer = writer
        self._component = component

    def record(self, notice: Notice) -> None:
        self._writer.record(self._component, notice)
