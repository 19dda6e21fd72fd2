"""What is looked at all the time: nobody is sent to a Pod that is not ready, and no Pod runs twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.api import pods
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.simulation.world import World

#: Virtual seconds for which the routing table may name a Pod that is not ready, and for which one that was deleted
#: by force may still run beside its successor: a lost watch is listed again after one.
LAG = 3.0


class Routes:
    """Remembers since when something is wrong."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unready: dict[
            str, float
        ] = {}  # address in the table → since when its Pod is not ready
        self._doubled: dict[str, float] = {}  # name of a Pod → since when two of its name run

    def forget(self) -> None:
        """The daemon that knew of it is gone."""
        self._unready.clear()
        self._doubled.clear()

    def look(self) -> str:
        """Find out whether somebody is sent to a Pod that has not been ready for a while."""
        world = self._world
        if world.disk.full or world.registry.is_stale or not hasattr(world, "table"):
            self._unready.clear()
            return ""
        serving = {
            (p.get("status") or {}).get("podIP")
            for p in world.invariants.live.of("", "Pod")
            if pods.is_ready(p)
        }
        wrong = {
            backend.address
            for port in world.table.listeners().values()
            for backend in world.table.backends(port.key)
            if backend.address not in serving
        }
        late = _later(self._unready, wrong)
        return f"requests go to {late} more than {LAG:g} s after it was ready" if late else ""

    async def look_at_pods(self) -> str:
        """Find out whether two Pods of one name have both run for a while."""
        world = self._world
        if world.disk.full or world.registry.is_stale:
            self._doubled.clear()
            return ""
        names: dict[str, str] = {}
        running = {
            c.pod_uid for c in await world.runtime.containers() if c.state is ContainerState.RUNNING
        }
        doubled = set()
        for box in await world.runtime.pods():
            if box.uid in running and names.setdefault(box.name, box.uid) != box.uid:
                doubled.add(box.name)
        late = _later(self._doubled, doubled)
        return f"two Pods called {late} run for more than {LAG:g} s" if late else ""


def _later(since: dict[str, float], wrong: Iterable[str]) -> str:
    """Remember what is wrong now, and return what has been for too long."""
    now = asyncio.get_running_loop().time()
    kept = {one: since.get(one, now) for one in wrong}
    since.clear()
    since.update(kept)
    return next((one for one, began in kept.items() if now - began > LAG), "")
