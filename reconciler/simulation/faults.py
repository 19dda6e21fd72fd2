"""What goes wrong in a simulated world: each fault of ``story.FAULTS``, and how those that last come to their end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.client import DeleteOptions, Propagation
from reconciler.api.objects import labels_of, name_of, uid_of
from reconciler.api.pods import is_active, with_condition
from reconciler.apiserver.eviction import evict_pod
from reconciler.clock import rfc3339
from reconciler.errors import ApiError
from reconciler.kubelet.conditions import BY_KUBELET, DISRUPTION_TARGET
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from reconciler.api.kinds import Kind
    from reconciler.api.objects import Object
    from reconciler.simulation.story import Step
    from reconciler.simulation.world import World

#: Virtual seconds after a fault in which what happened during it may become known.
BECOMES_KNOWN = 30.0
#: How long a write of somebody else is waited for: one that a dying daemon never answers is an answer too, in seconds.
_PATIENCE = 1.0
#: How often a busy writer writes, in seconds.
_TOUCH_SECONDS = 0.25

_KINDS = {
    "deployment": kinds.DEPLOYMENT,
    "recreate": kinds.DEPLOYMENT,
    "statefulset": kinds.STATEFUL_SET,
    "parallel": kinds.STATEFUL_SET,
    "ondelete": kinds.STATEFUL_SET,
    "daemonset": kinds.DAEMON_SET,
    "job": kinds.JOB,
    "cronjob": kinds.CRON_JOB,
}
_SCALED = (kinds.DEPLOYMENT, kinds.STATEFUL_SET)


class Faults:
    """Lets faults happen to one world. ``lasting`` are the tasks that will end them: they outlive a daemon."""

    def __init__(self, world: World, restart: Callable[..., Awaitable[None]]) -> None:
        self._world = world
        self._restart = restart
        self.lasting: set[asyncio.Task[None]] = set()

    async def happen(self, step: Step) -> None:
        """Let one fault happen."""
        await getattr(self, f"_{step.what}")(step)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.lasting.add(task)
        task.add_done_callback(self.lasting.discard)

    def _for_a_while(self, thing: object, flag: str, seconds: float) -> None:
        """Set a flag, and take it back after a while, whether or not the daemon dies meanwhile."""
        setattr(thing, flag, True)

        async def heal() -> None:
            await asyncio.sleep(seconds)
            setattr(thing, flag, False)

        self._later(heal())

    def _disturb(self, seconds: float = 0.0) -> None:
        """Nobody need be whole for a while, and until what happened meanwhile has become known."""
        invariants = self._world.invariants
        invariants.disturb()
        invariants.live.disturbances += 1

        async def known() -> None:
            await asyncio.sleep(seconds + BECOMES_KNOWN)
            invariants.disturb()
            invariants.live.disturbances -= 1

        self._later(known())

    @staticmethod
    async def _by_hand(asked: Awaitable[Any]) -> None:
        """Let somebody ask the API for something, who takes any answer."""
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await asked

    def _pods(self, app: str = "") -> list[Object]:
        """Return the Pods that run or will, of one workload or of all."""
        found = [
            p
            for p in self._world.invariants.live.of("", "Pod")
            if is_active(p) and app in ("", labels_of(p).get("app"))
        ]
        return sorted(found, key=name_of)

    # -- daemon, machine and disk --------------------------------------------------------------------------------

    async def _crash(self, step: Step) -> None:
        self._world.disk.die(step.value // 2, after=bool(step.value % 2))

    async def _reboot(self, step: Step) -> None:  # noqa: ARG002
        self._disturb()
        await self._restart(machine=True)

    async def _full(self, step: Step) -> None:
        self._disturb(step.value)
        self._for_a_while(self._world.disk, "full", step.value)

    async def _flaky(self, step: Step) -> None:
        self._disturb(step.value)
        self._for_a_while(self._world.disk, "flaky", step.value)

    # -- watches -------------------------------------------------------------------------------------------------

    async def _drop(self, step: Step) -> None:  # noqa: ARG002
        self._world.registry.drop()

    async def _compact(self, step: Step) -> None:
        self._world.registry.compact(step.value)

    async def _stale(self, step: Step) -> None:
        self._world.registry.stand_still(step.value / 4, step.value)

    # -- somebody else -------------------------------------------------------------------------------------------

    def _kind(self, step: Step) -> Kind:
        return _KINDS[step.target.partition("-")[0]]

    async def _meddle(self, step: Step) -> None:
        kind = self._kind(step)
        if kind in _SCALED and not self._world.disk.full:
            patch = {"spec": {"replicas": step.value % 4}}
            write = self._world.registry.patch(
                kind, step.target, "default", patch, field_manager="hand"
            )
            await self._by_hand(write)

    async def _steal(self, step: Step) -> None:
        kind = self._kind(step)
        if kind not in (*_SCALED, kinds.DAEMON_SET):
            return
        containers = [{"name": "app", "image": "app:stolen"}]
        obj = {
            "apiVersion": "apps/v1", "kind": kind.kind,
            "metadata": {"name": step.target, "namespace": "default"},
            "spec": {"template": {"spec": {"containers": containers}}},
        }  # fmt: skip
        key = f"/apps/{kind.kind}/default/{step.target}"
        if key in self._world.invariants.live.objects:
            await self._by_hand(self._world.registry.apply(obj, field_manager="hand", force=True))

    async def _touch(self, step: Step) -> None:
        async def touch() -> None:
            kind = self._kind(step)
            for number in range(int(step.value / 10 / _TOUCH_SECONDS)):
                patch = {"metadata": {"annotations": {"touched": str(number)}}}
                everything = [(kind, step.target)]
                everything += [(kinds.POD, name_of(p)) for p in self._pods(step.target)]
                for each, name in everything:
                    write = self._world.registry.patch(
                        each, name, "default", patch, field_manager="hand"
                    )
                    await self._by_hand(write)
                await asyncio.sleep(_TOUCH_SECONDS)

        self._later(touch())

    async def _remove(self, step: Step) -> None:
        world, kind = self._world, self._kind(step)
        which: tuple[tuple[Kind, Propagation | None], ...] = (
            (kinds.CONFIG_MAP, None),
            (kinds.SECRET, None),
            (kinds.SERVICE, None),
            (kind, Propagation.BACKGROUND),
            (kind, Propagation.ORPHAN),
            (kind, Propagation.FOREGROUND),
            (kinds.POD_DISRUPTION_BUDGET, None),
        )
        chosen, propagation = which[step.value % len(which)]
        found = world.invariants.live.objects.get(
            f"/{chosen.group}/{chosen.kind}/default/{step.target}"
        )
        if found is None:
            return
        world.invariants.give_up(uid_of(found))
        if chosen is kind:
            world.invariants.disturb()
        options = DeleteOptions(propagation=propagation)
        await self._by_hand(world.registry.delete(chosen, step.target, "default", options))

    async def _kill(self, step: Step) -> None:
        if found := self._pods():
            self._world.invariants.disturb()
            chosen = found[step.value % len(found)]
            options = DeleteOptions(grace_seconds=0 if step.value % 2 else None)
            await self._by_hand(
                self._world.registry.delete(kinds.POD, name_of(chosen), "default", options)
            )

    async def _evict(self, step: Step) -> None:
        world = self._world
        live = world.invariants.live
        live.evictions += 1
        world.invariants.rollouts.disturb()
        if not world.invariants.budgets.guards(step.target):
            self._disturb()
        for pod in self._pods(step.target):
            await self._by_hand(
                evict_pod(world.registry, world.clock, name_of(pod), "default", DeleteOptions())
            )

        async def known() -> None:
            await asyncio.sleep(BECOMES_KNOWN)
            world.invariants.rollouts.disturb()
            live.evictions -= 1

        self._later(known())

    # -- what runs -----------------------------------------------------------------------------------------------

    async def _pressure(self, step: Step) -> None:
        found = [p for p in self._pods() if (p["spec"]).get("nodeName")]
        if not found:
            return
        world = self._world
        self._disturb()
        pod = found[step.value % len(found)]
        told = {
            "type": DISRUPTION_TARGET, "status": "True", "reason": BY_KUBELET,
            "message": "The node was low on resource: memory. ",
            "lastTransitionTime": rfc3339(world.clock.now()),
        }  # fmt: skip
        held = list((pod.get("status") or {}).get("conditions") or ())
        patch = {"status": {"conditions": with_condition(held, told)}}
        await self._by_hand(
            world.registry.patch(
                kinds.POD, name_of(pod), "default", patch,
                subresource="status", field_manager="kubelet",
            )
        )  # fmt: skip

    async def _exit(self, step: Step) -> None:
        world = self._world
        world.invariants.disturb()
        running = [c for c in await world.runtime.containers() if c.state is ContainerState.RUNNING]
        if running:
            chosen = running[step.value % len(running)]
            world.runtime.exit(chosen.pod_uid, chosen.name, 1)

    async def _unready(self, step: Step) -> None:
        self._disturb(step.value)
        self._for_a_while(self._world, "failing", step.value)

    async def _unpullable(self, step: Step) -> None:
        self._for_a_while(self._world.runtime, "unpullable", step.value)

    async def _unstartable(self, step: Step) -> None:
        self._for_a_while(self._world.runtime, "unstartable", step.value)

    async def _load(self, step: Step) -> None:
        self._world.loads[step.target] = step.value * 10

    # -- time ----------------------------------------------------------------------------------------------------

    async def _jump(self, step: Step) -> None:
        self._world.clock.jump(step.value)

    async def _leap(self, step: Step) -> None:
        self._world.clock.jump(step.value * 100)

    async def _back(self, step: Step) -> None:
        self._world.clock.jump(step.value * -100)
