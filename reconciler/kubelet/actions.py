"""What a plan asks the worker to do. Data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from reconciler.runtime.cri import ContainerStatus, SandboxStatus


class RunSandbox(NamedTuple):
    attempt: int


class StopSandbox(NamedTuple):
    sandbox: SandboxStatus
    remove: bool = False


class StartContainer(NamedTuple):
    """Create and start it in this sandbox."""

    sandbox: SandboxStatus
    spec: dict[str, Any]
    attempt: int


class StopContainer(NamedTuple):
    """Stop it within its grace, once the containers ``after`` it (names) have ended. ``why`` is for the Event."""

    container: ContainerStatus
    grace_seconds: float
    why: str
    after: frozenset[str] = frozenset()
    replace: bool = False  # it is started again whatever its restart policy: its image changed


class RemoveContainer(NamedTuple):
    container: ContainerStatus


Action = RunSandbox | StopSandbox | StartContainer | StopContainer | RemoveContainer


class PodPlan(NamedTuple):
    """What to do, and when to look again (seconds).

    ``ending``: the Pod is being brought to its end; ``ended``: nothing of it runs any more, and never will.
    """

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    ending: bool = False
    ended: bool = False
