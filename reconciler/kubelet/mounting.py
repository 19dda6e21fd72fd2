"""One Pod's volumes with the help of the runtime, which keeps those that lie in memory with the Pod's sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from reconciler.errors import RuntimeFailure
from reconciler.kubelet import environment
from reconciler.kubelet.tokens import PodTokens
from reconciler.kubelet.volumes import InMemory, in_memory, ownership

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.api.objects import Object
    from reconciler.kubelet.fields import PodValues
    from reconciler.kubelet.scope import PodScope
    from reconciler.kubelet.volumes import MountedVolume

log = structlog.get_logger(__name__)


class PodVolumes:
    """Sets up a Pod's volumes and keeps them current. ``stale``: the API has something newer than what they show."""

    __slots__ = ("_scope", "_tokens", "stale")

    def __init__(self, scope: PodScope) -> None:
        self._scope = scope
        self._tokens = PodTokens(scope)
        self.stale = False

    def are_due(self, pod: Object) -> bool:
        """Whether what the volumes show must be written again: something is newer, or a token grows old."""
        return self.stale or self._tokens.are_due(pod)

    async def check(self, pod: Object) -> None:
        """Make what needs no sandbox, and look whether the rest can be made. Raises ``RuntimeFailure`` (FailedMount)."""
        values = await self._with_tokens(pod, self._scope.values())
        self._scope.node.volumes.set_up(pod, values, None)

    async def set_up(
        self, pod: Object, values: PodValues, sandbox_id: str
    ) -> dict[str, MountedVolume]:
        """Make every volume. Raises ``RuntimeFailure`` (FailedMount)."""
        volumes = self._scope.node.volumes
        values = await self._with_tokens(pod, values)
        async with self._in_memory(pod, sandbox_id) as memory:
            made = volumes.set_up(pod, values, memory)
        given = volumes.unowned(pod, made)
        for path in given.values():
            # However many files there are: nobody else waits for them.
            await asyncio.to_thread(
                ownership.give_tree, path, pod["spec"]["securityContext"]["fsGroup"]
            )
        volumes.given(pod, given)
        return made

    async def env_files(
        self, pod: Object, container: dict[str, Any], sandbox_id: str
    ) -> dict[tuple[str, str], str | None]:
        """Return what the files hold that a container's environment is taken from; None for one that is missing.

        Raises ``RuntimeFailure`` (CreateContainerConfigError) for one that may not be read.
        """
        wanted = environment.files_of(container)
        if not wanted:
            return {}
        async with self._in_memory(pod, sandbox_id) as memory:
            volumes = self._scope.node.volumes
            return {(v, path): volumes.read_file(pod, v, path, memory) for v, path in wanted}

    async def refresh(self, pod: Object, sandbox_id: str) -> None:
        """Write what has changed in the API since."""
        self.stale = False
        try:
            values = await self._with_tokens(pod, self._scope.values())
            async with self._in_memory(pod, sandbox_id) as memory:
                self._scope.node.volumes.refresh(pod, values, memory)
        except (RuntimeFailure, OSError) as error:
            log.info("volumes are not refreshed", pod=self._scope.where, error=str(error))

    async def _with_tokens(self, pod: Object, values: PodValues) -> PodValues:
        return values._replace(tokens=await self._tokens.current(pod))

    @contextlib.asynccontextmanager
    async def _in_memory(self, pod: Object, sandbox_id: str) -> AsyncIterator[InMemory]:
        """Hold the directories in memory open for as long as they are written."""
        node = self._scope.node
        held: dict[str, int] = {}
        try:
            for name, size in in_memory(pod).items():
                path = node.volumes.make_directory(self._scope.uid, name)
                descriptor = await node.runtime.memory_directory(sandbox_id, str(path), size)
                if descriptor is not None:
                    held[name] = descriptor
            yield InMemory(
                sandbox_id, {name: Path(f"/proc/self/fd/{fd}") for name, fd in held.items()}
            )
        finally:
            for descriptor in held.values():
                os.close(descriptor)
