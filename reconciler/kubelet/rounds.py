"""What the kubelet does every few seconds for all of its Pods: logs that grew are rotated, and each Pod is looked at again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from reconciler.errors import RuntimeFailure
from reconciler.kubelet import logs
from reconciler.runtime.cri import ContainerState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.kubelet.scope import Node
    from reconciler.kubelet.worker import PodWorker
    from reconciler.runtime.cri import ContainerStatus

log = structlog.get_logger(__name__)

#: Seconds from one round to the next, and how many there are until every Pod was looked at again.
ROUND_SECONDS = 10.0
ROUNDS = 6
#: After so many Pods others have their turn: with ten thousand, a round takes longer than a request may wait.
_TURN = 200


async def go_round(node: Node, workers: Callable[[], Collection[PodWorker]]) -> None:
    """Rotate logs each round, and wake a sixth of the workers; until cancelled. O(N) a round, some 10 µs a container."""
    part = 0
    while True:
        await node.clock.sleep(ROUND_SECONDS)
        for number, worker in enumerate(list(workers())):
            if number % ROUNDS == part:
                worker.wake()
            for container in worker.containers():
                if container.state is ContainerState.RUNNING and logs.must_rotate(
                    container.log_path
                ):
                    await _rotate(node, container)
            if number % _TURN == _TURN - 1:
                await asyncio.sleep(0)
        part = (part + 1) % ROUNDS


async def _rotate(node: Node, container: ContainerStatus) -> None:
    try:
        logs.rotate(Path(container.log_path))
        await node.runtime.reopen_log(container.id)
    except (OSError, RuntimeFailure) as error:
        log.warning("log cannot be rotated", path=container.log_path, error=str(error))
