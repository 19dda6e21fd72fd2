"""The walk over a plan's graph."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from typing import TYPE_CHECKING

from reconciler.errors import ApiError, StoreError
from reconciler.gitops.apply import requests
from reconciler.gitops.apply.gate import gate
from reconciler.gitops.apply.hook_run import HookFailed, run_hook
from reconciler.gitops.apply.result import Applied, Result
from reconciler.gitops.plan import Need

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from reconciler.api.client import Client
    from reconciler.api.objects import Key, Object
    from reconciler.clock import Clock
    from reconciler.gitops.plan import Change, Edge, Plan

#: Requests under way at once.
CONCURRENCY = 16
#: What is waited for is looked at so often, in seconds.
LOOK_SECONDS = 0.1
#: Hooks on failure may run so long after the deadline, in seconds: a failure is often the deadline itself.
FAILURE_HOOK_SECONDS = 60.0


async def apply(
    plan: Plan,
    client: Client,
    *,
    manager: str,
    live: Callable[[Key], Awaitable[Object | None]],
    clock: Clock,
    deadline: float,
    interrupted: asyncio.Event,
    applied: Callable[[Result], None],
    waiting: Callable[[], Awaitable[None]],
) -> Applied:
    """Apply a plan and return what came of it; what was unchanged is not told.

    ``live`` reads an object as it is now; ``deadline`` is on the monotonic clock. When ``interrupted`` is set nothing more
    begins. ``applied`` is told each result at once, ``waiting`` is called after each look while something is awaited. A
    failure holds up only what comes after it; prunes come last, and only when everything else is reconciled.
    """
    walk = _Walk(plan, client, manager, live, clock, deadline, interrupted, applied)
    await walk.run(waiting)
    failed = any(r.error for r in walk.results)
    if plan.on_failure and failed and not interrupted.is_set():
        await walk.on_failure(plan.on_failure)
    return Applied(walk.results, failed and interrupted.is_set())


class _Watch:
    """One node whose state others wait for."""

    __slots__ = ("applied", "edges", "key", "seen")

    def __init__(self, key: Key, edges: list[Edge], applied: Object | None) -> None:
        self.key = key
        self.edges = edges
        self.applied = applied
        self.seen: Object | None = None


class _Walk:
    def __init__(
        self,
        plan: Plan,
        client: Client,
        manager: str,
        live: Callable[[Key], Awaitable[Object | None]],
        clock: Clock,
        deadline: float,
        interrupted: asyncio.Event,
        applied: Callable[[Result], None],
    ) -> None:
        self._plan = plan
        self._client = client
        self._manager = manager
        self._live = live
        self._clock = clock
        self._deadline = deadline
        self._interrupt = interrupted
        self._tell = applied
        self._out: list[list[Edge]] = [[] for _ in plan.nodes]
        self._missing = [0] * len(plan.nodes)
        for edge in plan.edges:
            self._out[edge.before].append(edge)
            self._missing[edge.after] += 1
        self._begun = [False] * len(plan.nodes)  # it has started, or never will
        self._left = len(plan.nodes)  # nodes not begun
        self._ready: list[int] = [i for i, n in enumerate(self._missing) if n == 0]
        self._watched: dict[int, _Watch] = {}
        self._running = 0
        self._moved = asyncio.Event()
        self.results: list[Result] = []

    async def run(self, waiting: Callable[[], Awaitable[None]]) -> None:
        """Walk until every node has ended or cannot begin."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._moved.clear()
                self._begin(group)
                if not self._left and not self._running:
                    return
                if not self._watched:
                    await self._moved.wait()
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._moved.wait()
                await self._look()
                if self._watched:
                    await waiting()

    async def on_failure(self, hooks: Iterable[Change]) -> None:
        """Run the hooks that a failure asks for, one after another."""
        self._deadline = max(self._deadline, self._clock.monotonic() + FAILURE_HOOK_SECONDS)
        for change in hooks:
            self._note(await self._do(change))

    def _note(self, result: Result) -> None:
        self.results.append(result)
        self._tell(result)

    # -- beginning -----------------------------------------------------------------------------------------------

    def _begin(self, group: asyncio.TaskGroup) -> None:
        """Begin what is ready, in the plan's order, as far as there is room."""
        why = self._stop()
        while self._ready and (why or self._running < CONCURRENCY):
            index = heapq.heappop(self._ready)
            if self._begun[index]:
                continue
            node = self._plan.nodes[index]
            if why and node.change is not None and node.change.action != "unchanged":
                self._block(index, why)
                continue
            self._begun[index] = True
            self._left -= 1
            if node.external is not None:
                self._await_state(index, node.external, None)
            elif node.change is None:
                for edge in self._out[index]:
                    self._resolve(edge, "")
            elif node.change.action == "unchanged":
                self._applied(index, node.change, None)
            else:
                self._running += 1
                group.create_task(self._run(index, node.change))

    async def _run(self, index: int, change: Change) -> None:
        result = await self._do(change)
        self._running -= 1
        self._moved.set()
        self._note(result)
        if result.error:
            self._failed(index, f"{change.key} failed: {result.error}")
        else:
            self._applied(index, change, result.object)

    async def _do(self, change: Change) -> Result:
        begun = self._clock.monotonic()
        obj, error, passing = None, "", False
        try:
            match change.action:
                case "prune":
                    await requests.prune(change, self._client)
                case "hook":
                    obj = await run_hook(
                        change, self._client, self._manager, clock=self._clock, stop=self._stop
                    )
                case _:
                    obj = await requests.apply_object(change, self._client, self._manager)
        except (ApiError, StoreError, HookFailed) as refused:
            error = str(refused) or type(refused).__name__
            passing = isinstance(refused, StoreError) or (
                isinstance(refused, ApiError) and refused.code >= 500
            )
        seconds = self._clock.monotonic() - begun
        return Result(change, obj, error, seconds=seconds, passing=passing)

    def _stop(self) -> str:
        """Return why nothing more shall begin; empty: go on."""
        if self._interrupt.is_set():
            return "a newer revision is there"
        if self._clock.monotonic() >= self._deadline:
            return "the sync has run out of time"
        return ""

    # -- ending --------------------------------------------------------------------------------------------------

    def _applied(self, index: int, change: Change, obj: Object | None) -> None:
        if change.action == "hook":
            # It has run to its end: that is all that anything can wait for.
            for edge in self._out[index]:
                self._resolve(edge, "")
            return
        for edge in self._out[index]:
            if edge.need in (Need.ORDER, Need.APPLIED):
                self._resolve(edge, "")
        self._await_state(index, change.key, obj if obj is not None else change.live)

    def _await_state(self, index: int, key: Key, obj: Object | None) -> None:
        """Watch a node for what the edges out of it need."""
        edges = [e for e in self._out[index] if e.need not in (Need.ORDER, Need.APPLIED)]
        if edges:
            self._watched[index] = _Watch(key, edges, obj)
        if self._plan.nodes[index].external is not None:
            for edge in self._out[index]:
                if edge.need in (Need.ORDER, Need.APPLIED):
                    self._resolve(edge, "")

    def _failed(self, index: int, why: str) -> None:
        for edge in self._out[index]:
            self._resolve(edge, "" if edge.need is Need.ORDER else why)

    def _resolve(self, edge: Edge, why: str) -> None:
        """One predecessor of a node is as far as it must be, or, with ``why``, never will be."""
        after = edge.after
        self._missing[after] -= 1
        if self._begun[after]:
            return
        if why:
            self._block(after, why)
        elif self._missing[after] == 0:
            heapq.heappush(self._ready, after)

    def _block(self, index: int, why: str) -> None:
        """A node will not begin, nor will what comes after it; all are told the same first cause."""
        blocked = [index]
        while blocked:
            at = blocked.pop()
            if self._begun[at]:
                continue
            self._begun[at] = True
            self._left -= 1
            change = self._plan.nodes[at].change
            if change is not None and change.action != "unchanged":
                self._note(Result(change, error=f"not started: {why}", started=False))
            for edge in self._out[at]:
                self._missing[edge.after] -= 1
                if edge.need is not Need.ORDER:
                    blocked.append(edge.after)
                elif self._missing[edge.after] == 0 and not self._begun[edge.after]:
                    heapq.heappush(self._ready, edge.after)
        self._moved.set()

    # -- waiting -------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Look at everything watched whose state has changed; when nobody waits any longer, say what was awaited."""
        stop = self._stop()
        for index, watch in list(self._watched.items()):
            watch.edges = [e for e in watch.edges if not self._begun[e.after]]
            try:
                live = await self._live(watch.key)
            except ApiError:
                # An API that cannot be asked just now says nothing of the object.
                live = watch.seen
            if live is not None and live is watch.seen and not stop:
                continue
            watch.seen = live
            for edge in watch.edges:
                state = gate(live, edge.need, watch.applied)
                if state.open:
                    self._resolve(edge, "")
                elif state.failed or stop:
                    self._resolve(
                        edge, f"{watch.key}: {state.message}" + (f" ({stop})" if stop else "")
                    )
                else:
                    continue
                watch.edges = [e for e in watch.edges if e is not edge]
            if not watch.edges:
                del self._watched[index]
