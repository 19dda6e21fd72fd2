"""A Pod's sandbox and containers are started; what failed is tried again later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.clock import READ_LATER
from reconciler.errors import RuntimeFailure
from reconciler.kubelet import environment, images, names, sandbox, termination_message
from reconciler.kubelet.hooks import run_hook
from reconciler.kubelet.observed import Failure, all_containers
from reconciler.runtime.cri import Mount, honours

if TYPE_CHECKING:
    from reconciler.api.objects import Object
    from reconciler.kubelet.actions import StartContainer
    from reconciler.kubelet.mounting import PodVolumes
    from reconciler.kubelet.scope import PodScope

#: Wait before a failed start is tried again, in seconds: first, and longest.
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
#: The same for an image that cannot be pulled (P22), and after how long the wait itself is told as the reason.
FIRST_PULL_RETRY = 10.0
LONGEST_PULL_RETRY = 300.0
PULL_ERROR_SHOWN = 1.0

#: How failures are told: the Event's reason, and the container's where it is another.
_EVENTS = {"InvalidImageName": "InspectFailed", "ErrImageNeverPull": "ErrImageNeverPull"}


class Starter:
    """Starts what the plan says, and remembers what could not be started and which postStart hooks still run."""

    __slots__ = ("_failures", "_scope", "_tries", "_volumes", "hooks")

    def __init__(self, scope: PodScope, volumes: PodVolumes) -> None:
        self._scope = scope
        self._volumes = volumes
        self._failures: dict[str, Failure] = {}
        self._tries: dict[str, int] = {}
        self.hooks: set[str] = set()

    def failures(self, now: float) -> dict[str, Failure]:
        """Return what cannot be tried again yet, by container name."""
        # One that lies ahead is of before the clock was set back: how long it must wait yet is not known.
        self._failures = {
            n: f for n, f in self._failures.items() if f.at <= now + READ_LATER and f.retry_at > now
        }
        return dict(self._failures)

    def forgive(self) -> None:
        """Something that starts depend on has changed: try again at once."""
        self._failures.clear()

    async def run_sandbox(self, pod: Object, attempt: int) -> None:
        node = self._scope.node
        logs = node.volumes.pod_directory(self._scope.uid) / "logs"
        try:
            await self._volumes.check(pod)
            if attempt:
                changed = "Pod sandbox changed, it will be killed and re-created."
                self._scope.event(pod, "Normal", "SandboxChanged", changed)
            dns = node.cluster_dns()
            config = sandbox.sandbox_config(pod, attempt, dns, logs)
            for reason, told in names.warnings(pod, dns):
                self._scope.event(pod, "Warning", reason, told)
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
        volumes = await self._volumes.set_up(pod, values, action.sandbox.id)
        await self._ensure_image(spec)
        hostname = names.kernel_hostname(pod, node.dns.domain)
        files = await self._volumes.env_files(pod, spec, action.sandbox.id)
        env = environment.resolve(
            pod, spec, node.cache.snapshot, values._replace(hostname=hostname), files
        )
        config = sandbox.container_config(
            pod, spec, action.attempt, env, volumes, node.runtime.default_user
        )
        message = self._message_mount(spec, action.attempt)
        if message is not None and all(
            m.container_path != message.container_path for m in config.mounts
        ):
            config = config._replace(mounts=(*config.mounts, message))
        container_id = await node.runtime.create_container(action.sandbox.id, config)
        scope.event(pod, "Normal", "Created", f"Container created: {spec['name']}", spec["name"])
        return container_id

    async def _ensure_image(self, spec: dict[str, Any]) -> None:
        image = spec.get("image", "")
        if image and not images.is_reference(image):
            raise RuntimeFailure(
                f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
                "invalid reference format",
                reason="InvalidImageName",
            )
        await self._scope.node.runtime.ensure_image(
            image,
            spec.get("imagePullPolicy", "IfNotPresent"),
            needs_command=not spec.get("command"),
        )

    def _message_mount(self, spec: dict[str, Any], attempt: int) -> Mount | None:
        """Make the file for what the container has to say at its end, where the runtime can show it one."""
        node = self._scope.node
        if not honours(node.runtime.honoured_fields, "spec.containers.terminationMessagePath"):
            return None
        directory = node.volumes.pod_directory(self._scope.uid)
        path = termination_message.file_of(directory, spec["name"], attempt)
        try:
            termination_message.prepare(path)
        except OSError as error:
            raise RuntimeFailure(f"{path}: {error.strerror}", reason="FailedMount") from error
        inside = spec.get("terminationMessagePath") or termination_message.DEFAULT_PATH
        return Mount(inside, str(path))

    def _failed(self, pod: Object, name: str, error: RuntimeFailure, event: str) -> None:
        tries = self._tries.get(name, 0)
        self._tries[name] = tries + 1
        now, reason = self._scope.node.clock.now(), error.reason
        if reason == "ErrImagePull":
            wait = min(FIRST_PULL_RETRY * 2.0 ** min(tries, 10), LONGEST_PULL_RETRY)
            image = next(c["image"] for c in all_containers(pod) if c["name"] == name)
            told = f'Back-off pulling image "{image}": {error}'
            failure = Failure(
                reason,
                str(error),
                now + wait,
                now + PULL_ERROR_SHOWN,
                "ImagePullBackOff",
                told,
                now,
            )
        else:
            if reason == "FailedMount":
                event, reason = "FailedMount", "ContainerCreating"
            elif reason in ("RuntimeFailure", "StartError"):
                reason = "RunContainerError" if name else "ContainerCreating"
            wait = min(FIRST_RETRY * 2.0 ** min(tries, 10), LONGEST_RETRY)
            failure = Failure(reason, str(error), now + wait, at=now)
        self._failures[name] = failure
        event = _EVENTS.get(reason, event)
        self._scope.event(pod, "Warning", event, _told(event, error), name)

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
            await run_hook(hook, scope.node.prober, target, scope.node.clock)
        except RuntimeFailure as error:
            scope.event(pod, "Warning", "FailedPostStartHook", str(error), action.spec["name"])
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            await scope.node.runtime.stop_container(container_id, grace)
        finally:
            self.hooks.discard(container_id)
            scope.wake()


def _told(event: str, error: RuntimeFailure) -> str:
    if event == "FailedCreatePodSandBox":
        return f"Failed to create pod sandbox: {error}"
    return f"Error: {error}" if event == "Failed" else str(error)
