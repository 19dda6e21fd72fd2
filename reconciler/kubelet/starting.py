"""A Pod's sandbox and containers are started; what failed is tried again later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure
from reconciler.kubelet import environment, sandbox
from reconciler.kubelet.hooks import run_hook
from reconciler.kubelet.pod import Failure

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.kubelet.pod import StartContainer
    from reconciler.kubelet.scope import PodScope

#: Wait before a failed start is tried again, in seconds: first, and longest.
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0


class Starter:
    """Starts what the plan says, and remembers what could not be started and which postStart hooks still run."""

    __slots__ = ("_failures", "_scope", "_tries", "hooks")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._failures: dict[str, Failure] = {}
        self._tries: dict[str, int] = {}
        self.hooks: set[str] = set()

    def failures(self, now: float) -> dict[str, Failure]:
        """Return what cannot be tried again yet, by container name."""
        self._failures = {n: f for n, f in self._failures.items() if f.retry_at > now}
        return dict(self._failures)

    def forgive(self) -> None:
        """Something that starts depend on has changed: try again at once."""
        self._failures.clear()

    async def run_sandbox(self, pod: Object, attempt: int) -> None:
        node = self._scope.node
        logs = node.volumes.pod_directory(self._scope.uid) / "logs"
        try:
            config = sandbox.sandbox_config(pod, attempt, node.dns, logs)
            await node.runtime.run_pod_sandbox(config)
        except RuntimeFailure as error:
            self._failed(pod, "", error, "FailedCreatePodSandBox")

    async def start(self, pod: Object, action: StartContainer) -> None:
        scope, name = self._scope, action.spec["name"]
        try:
            container_id = await self._create(pod, action)
            await scope.node.runtime.start_container(container_id)
        except RuntimeFailure as error:
            self._failed(pod, name, error, "Failed")
            return
        self._tries.pop(name, None)
        if action.attempt:
            scope.node.measures.restarted(pod)
        scope.event(pod, "Normal", "Started", "Container started", name)
        post_start = (action.spec.get("lifecycle") or {}).get("postStart")
        if post_start:
            self.hooks.add(container_id)
            scope.spawn(self._post_start(pod, action, container_id, post_start))

    async def _create(self, pod: Object, action: StartContainer) -> str:
        """Prepare everything that a container needs, and create it."""
        scope, spec = self._scope, action.spec
        node = scope.node
        values = scope.values(action.sandbox.ip)
        paths = node.volumes.set_up(pod, values)
        await node.runtime.ensure_image(
            spec.get("image", ""),
            spec.get("imagePullPolicy", "IfNotPresent"),
            needs_command=not spec.get("command"),
        )
        env = environment.resolve(pod, spec, node.cache.snapshot, values)
        config = sandbox.container_config(
            pod, spec, action.attempt, env, paths, node.runtime.default_user
        )
        container_id = await node.runtime.create_container(action.sandbox.id, config)
        scope.event(pod, "Normal", "Created", f"Container created: {spec['name']}", spec["name"])
        return container_id

    def _failed(self, pod: Object, name: str, error: RuntimeFailure, event: str) -> None:
        tries = self._tries.get(name, 0)
        self._tries[name] = tries + 1
        wait = min(FIRST_RETRY * 2.0 ** min(tries, 10), LONGEST_RETRY)
        now = self._scope.node.clock.now()
        reason = error.reason
        if reason == "FailedMount":
            event, reason = "FailedMount", "ContainerCreating"
        elif reason in ("RuntimeFailure", "StartError"):
            reason = "RunContainerError" if name else "ContainerCreating"
        self._failures[name] = Failure(reason, str(error), now + wait)
        self._scope.event(pod, "Warning", event, str(error), name)

    async def _post_start(
        self,
        pod: Object,
        action: StartContainer,
        container_id: str,
        hook: dict[str, Any],
    ) -> None:
        scope = self._scope
        target = scope.target(pod, action.spec, container_id, action.sandbox.ip)
        try:
            await run_hook(hook, scope.node.prober, target)
        except RuntimeFailure as error:
            scope.event(pod, "Warning", "FailedPostStartHook", str(error), action.spec["name"])
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            await scope.node.runtime.stop_container(container_id, grace)
        finally:
            self.hooks.discard(container_id)
            scope.wake()
