"""The probes of one run of one container: their state, and the tasks that keep it (B03 to B10, B13)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.kubelet.observed import ProbeState, initial_probe_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock, Entropy
    from reconciler.kubelet.probes.target import Outcome, Prober, Target


class ContainerProbes:
    """Asks again and again, and tells when the state changes.

    ``told`` gets every outcome that is a failure or a warning, ``probed`` every outcome; ``known`` is what was found
    out about this very run before, by a kubelet that has ended since.
    """

    def __init__(
        self,
        container: dict[str, Any],
        target: Target,
        prober: Prober,
        *,
        started_at: float,
        clock: Clock,
        entropy: Entropy,
        changed: Callable[[], None],
        told: Callable[[str, Outcome], None],
        probed: Callable[[str, bool], None] | None = None,
        known: ProbeState | None = None,
    ) -> None:
        self._container = container
        self._target = target
        self._prober = prober
        self._started_at = started_at
        self._clock = clock
        self._entropy = entropy
        self._changed = changed
        self._told = told
        self._probed = probed
        self._ending = False
        self.state = known if known is not None else initial_probe_state(container)

    @staticmethod
    def needed(container: dict[str, Any]) -> bool:
        return any(f"{p}Probe" in container for p in ("startup", "liveness", "readiness"))

    def end_restarts(self) -> None:
        """Its Pod is ending: only readiness is asked for from now on (B13)."""
        self._ending = True

    async def run(self) -> None:
        """Probe until cancelled, or until a restart is wanted."""
        if not self.state.started and not await self._start_up():
            return
        ready = self.state.ready or "readinessProbe" not in self._container
        self._set(self.state._replace(started=True, ready=ready))
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in self._container:
                group.create_task(self._keep_ready(self._container["readinessProbe"]))
            if "livenessProbe" in self._container:
                group.create_task(self._keep_alive(self._container["livenessProbe"]))

    def _set(self, state: ProbeState) -> None:
        if state != self.state:
            self.state = state
            self._changed()

    async def _once(self, kind: str, probe: dict[str, Any]) -> bool:
        seconds = float(probe.get("timeoutSeconds", 1))
        outcome = await self._prober.check(probe, self._target, seconds)
        if self._probed is not None:
            self._probed(kind, outcome.ok)
        if not outcome.ok or outcome.warning:
            self._told(kind, outcome)
        return outcome.ok

    async def _start_up(self) -> bool:
        probe = self._container["startupProbe"]
        await self._delay(probe)
        failures = 0
        while not self._ending and not await self._once("Startup", probe):
            failures += 1
            if failures >= probe.get("failureThreshold", 3):
                self._set(self.state._replace(failed="startup"))
                return False
            await self._clock.sleep(probe.get("periodSeconds", 10))
        return not self._ending

    async def _delay(self, probe: dict[str, Any]) -> None:
        """Wait until the container has run for as long as the first probe shall wait (B10)."""
        delay = float(probe.get("initialDelaySeconds", 0))
        left = self._started_at + delay - self._clock.now()
        # More is left than the whole where the clock was set back.
        await self._clock.sleep(min(max(left, 0.0), delay))

    async def _keep_ready(self, probe: dict[str, Any]) -> None:
        await self._delay(probe)
        period = probe.get("periodSeconds", 10)
        in_a_row, last = 0, self.state.ready
        while True:
            ok = await self._once("Readiness", probe)
            in_a_row = in_a_row + 1 if ok == last else 1
            last = ok
            wanted = probe.get("successThreshold" if ok else "failureThreshold", 1 if ok else 3)
            if in_a_row >= wanted:
                self._set(self.state._replace(ready=ok))
            # What is not ready yet is asked more often, as a kubelet does right after a start.
            await self._clock.sleep(
                period if self.state.ready else min(period, 0.25 * 2 ** min(in_a_row, 6))
            )

    async def _keep_alive(self, probe: dict[str, Any]) -> None:
        await self._delay(probe)
        failures = 0
        period = probe.get("periodSeconds", 10)
        await self._clock.sleep(self._entropy.uniform(0, min(period, 1)))
        while not self._ending:
            failures = 0 if await self._once("Liveness", probe) else failures + 1
            if failures >= probe.get("failureThreshold", 3):
                self._set(self.state._replace(failed="liveness"))
                return
            await self._clock.sleep(period)
