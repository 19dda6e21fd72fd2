"""The control plane's loop: changes wake keys, a controller decides for a key, the executor performs the decision."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from reconciler.control.events import Recorder
from reconciler.control.executor import ActionFailed, Executor, Written
from reconciler.control.measures import PlaneMeasures
from reconciler.control.queue import WorkQueue
from reconciler.errors import ApiError, Conflict, NotFound, ReconcilerError
from reconciler.telemetry.measures import gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.api.client import Client
    from reconciler.api.decision import Controller, Decision, Watch
    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Key, Object
    from reconciler.clock import Clock
    from reconciler.control.events import EventWriter
    from reconciler.control.informer import InformerCache
    from reconciler.telemetry.measures import Family

log = structlog.get_logger(__name__)

#: Keys of one controller that are worked on at once.
WORKERS = 16

#: A key that takes long to plan rests so many times as long: what happens meanwhile is planned together, and a
#: thousand changes around a thousand Pods do not cost a thousand looks at all of them. In seconds, from when on.
REST_RATIO = 4.0
LONG_PLAN = 0.001

#: How often ``settled`` looks, in seconds.
SETTLE_SECONDS = 0.01


class Plane:
    """Runs controllers over one cache."""

    def __init__(
        self,
        client: Client,
        cache: InformerCache,
        controllers: Iterable[Controller],
        events: EventWriter,
        *,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._measures = PlaneMeasures()
        self._loops = [_Loop(client, cache, c, events, clock, self._measures) for c in controllers]

    def measures(self) -> list[Family]:
        """Return the figures of all controllers. Implements ``telemetry.measures.Measured``."""
        return [
            gauge(
                "reconciler_workqueue_depth", "Keys that wait.", ("controller",),
                [((loop.controller.name,), len(loop.queue)) for loop in self._loops],
            ),
            gauge(
                "reconciler_workqueue_failing_keys", "Keys that failed and are tried again.",
                ("controller",),
                [((loop.controller.name,), loop.queue.failing) for loop in self._loops],
            ),
            *self._measures.families(),
        ]  # fmt: skip

    @property
    def idle(self) -> bool:
        """No key waits and none is worked on."""
        return all(loop.queue.idle for loop in self._loops)

    async def settled(self, seconds: float) -> None:
        """Wait until what has happened so far is worked in: ``idle``, or so many seconds have passed."""
        end = self._clock.monotonic() + seconds
        while not self.idle and self._clock.monotonic() < end:
            await self._clock.sleep(SETTLE_SECONDS)

    async def run(self) -> None:
        """Plan until cancelled. Subscribe (construct) before the cache runs: then nothing is missed."""
        try:
            await self._cache.synced()
            async with asyncio.TaskGroup() as group:
                for loop in self._loops:
                    for number in range(WORKERS):
                        group.create_task(loop.work(), name=f"{loop.controller.name}-{number}")
        finally:
            for loop in self._loops:
                loop.queue.close()


def required_kinds(controllers: Iterable[Controller]) -> list[Kind]:
    """Return every kind that these controllers watch, once."""
    return list(dict.fromkeys(w.kind for c in controllers for w in c.watches))


class _Loop:
    """One controller: its queue and its workers."""

    def __init__(
        self,
        client: Client,
        cache: InformerCache,
        controller: Controller,
        events: EventWriter,
        clock: Clock,
        measures: PlaneMeasures,
    ) -> None:
        self.controller = controller
        self.queue = WorkQueue(lambda seconds: measures.waited.observe(seconds, controller.name))
        self._rests: dict[Key, float] = {}
        self._measures = measures
        self._cache = cache
        self._clock = clock
        self._executor = Executor(client, cache, Recorder(events, controller.name), controller.name)
        for watch in controller.watches:
            cache.subscribe(watch.kind, self._waker(watch))

    def _waker(self, watch: Watch) -> Callable[[Object | None, Object | None], None]:
        snapshot = self._cache.snapshot
        add = self.queue.add

        def wake(old: Object | None, new: Object | None) -> None:
            obj = new if new is not None else old
            if obj is None:
                return
            for key in watch.keys(obj, snapshot):
                add(key)
            if old is not None and new is not None and _moved(old, new):
                for key in watch.keys(old, snapshot):
                    add(key)

        return wake

    async def work(self) -> None:
        """Work on one key after the other until cancelled. The cache must be synced."""
        while True:
            key = await self.queue.get()
            began = self._clock.monotonic()
            name = self.controller.name
            try:
                self._measures.reconciled.add(name, await self._plan(key))
            finally:
                self._measures.took.observe(self._clock.monotonic() - began, name)
                self.queue.done(key, self._rests.pop(key, 0.0))

    async def _plan(self, key: Key) -> str:
        """Decide and act for a key; returns what came of it: success, error or requeue_after."""
        written: Written = {}
        result = "error"
        try:
            began = self._clock.monotonic()
            decision = self.controller.plan(key, self._cache.snapshot, self._clock.now())
            planned = self._clock.monotonic() - began
            if planned > LONG_PLAN:
                self._rests[key] = planned * REST_RATIO
            await self._perform(decision, written)
        except ActionFailed as failed:
            self._report(key, failed.error)
            self.queue.retry(key)
        except ReconcilerError as error:
            self._report(key, error)
            self.queue.retry(key)
        except Exception:
            # A fault in one planner must not take the others down; the key comes back with a back-off.
            log.exception("controller failed", controller=self.controller.name, key=str(key))
            self.queue.retry(key)
        else:
            self.queue.forget(key)
            result = "success"
            if decision.requeue_after is not None:
                result = "requeue_after"
                self.queue.add_after(key, decision.requeue_after)
        for kind, revision in written.items():
            await self._cache.reached(kind, revision)
        return result

    async def _perform(self, decision: Decision, written: Written) -> None:
        try:
            await self._executor.perform(decision, written)
        except ActionFailed as failed:
            if decision.on_error is not None:
                try:
                    await self._executor.perform(
                        decision.on_error(failed.action, failed.error), written
                    )
                except ActionFailed as second:
                    log.debug("last word failed", error=str(second))
            raise

    def _report(self, key: Key, error: Exception) -> None:
        # Conflicts and what is gone already are the normal course of many writers.
        level = log.debug if isinstance(error, (Conflict, NotFound)) else log.warning
        level(
            "cannot do what was decided",
            controller=self.controller.name,
            key=str(key),
            error=str(error),
            status=getattr(error, "code", None) if isinstance(error, ApiError) else None,
        )


def _moved(old: Object, new: Object) -> bool:
    """Whether other keys may have been concerned before: labels, owners or selectors differ."""
    before, after = old["metadata"], new["metadata"]
    if before.get("labels") != after.get("labels"):
        return True
    if before.get("ownerReferences") != after.get("ownerReferences"):
        return True
    spec_before, spec_after = old.get("spec"), new.get("spec")
    return spec_before is not spec_after and spec_before != spec_after
