"""What runs on the simulated machine, what it uses, and what can keep it from starting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import pods
from reconciler.api.metrics import PodUsage, Usage
from reconciler.api.objects import labels_of
from reconciler.errors import RuntimeFailure
from reconciler.runtime.memory import Behaviour, MemoryRuntime
from reconciler.simulation.manifests import CRON_SECONDS, JOB_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.clock import Clock
    from reconciler.runtime.cri import ContainerConfig, SandboxConfig
    from reconciler.simulation.invariants.live import Live


class Machine(MemoryRuntime):
    """A runtime that may fail to pull and to start, and that remembers what it was told to run."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock, script=self._behave)
        self.unpullable = False
        self.unstartable = False
        self.told: dict[str, ContainerConfig] = {}  # Pod uid → its newest container, as asked for

    def _behave(self, sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
        """Jobs end after a while; the rest serves."""
        self.told[sandbox.uid] = container
        if self.unstartable:
            return Behaviour(start_error=f'exec: "{container.command[0]}": not found')
        ends = {"job": JOB_SECONDS, "cronjob": CRON_SECONDS}
        return Behaviour(ends.get(sandbox.name.partition("-")[0]))

    async def ensure_image(self, image: str, pull_policy: str, *, needs_command: bool) -> str:
        if self.unpullable:
            raise RuntimeFailure(f'Failed to pull image "{image}"', reason="ErrImagePull")
        return await super().ensure_image(image, pull_policy, needs_command=needs_command)


class Meter:
    """What Pods use: each workload's load, spread over its ready Pods. Implements ``api.metrics.MetricsSource``."""

    def __init__(self, clock: Clock, live: Live, loads: Mapping[str, int]) -> None:
        self._clock, self._live, self._loads = clock, live, loads

    def usage(self, uid: str) -> PodUsage | None:
        everyone = list(self._live.of("", "Pod"))
        pod = next((p for p in everyone if p["metadata"]["uid"] == uid), None)
        if pod is None or not pods.is_ready(pod):
            return None
        app = labels_of(pod).get("app", "")
        ready = sum(pods.is_ready(p) for p in everyone if labels_of(p).get("app") == app)
        used = Usage(self._loads.get(app, 0) / ready, 1 << 20)
        return PodUsage(self._clock.now(), 15.0, {"app": used})
