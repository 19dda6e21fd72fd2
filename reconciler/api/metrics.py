"""What Pods use now: the question an autoscaler asks. Whoever measures (the kubelet, from cgroups) answers it.

metrics.k8s.io is the counterpart. Nothing of it is stored: a measurement is of its moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Usage(NamedTuple):
    """What one container uses: CPU in millicores over the window, memory (working set) in bytes."""

    cpu: float
    memory: int


class PodUsage(NamedTuple):
    """What a Pod's containers use. ``at`` is when the window of ``window`` seconds ended (since the epoch)."""

    at: float
    window: float
    containers: Mapping[str, Usage]


class MetricsSource(Protocol):
    """Answers from memory, at once."""

    def usage(self, uid: str) -> PodUsage | None:
        """Return what the Pod of a uid uses; None where it has not been measured."""
        ...


class NodeUsage(NamedTuple):
    """What a whole machine uses, its own programs too; ``at`` and ``window`` as in ``PodUsage``."""

    at: float
    window: float
    usage: Usage


class UsageSource(MetricsSource, Protocol):
    """Knows the node, too: what metrics.k8s.io is answered from."""

    def node(self, name: str) -> NodeUsage | None:
        """Return what a node uses; None where it has not been measured."""
        ...


class NotMeasured:
    """Knows nothing of any Pod."""

    def usage(self, uid: str) -> PodUsage | None:  # noqa: ARG002
        return None
