"""What the kubelet runs, in figures."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING

from reconciler.api.objects import namespace_of
from reconciler.telemetry.measures import Counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerStatus
    from reconciler.telemetry.measures import Family


class KubeletMeasures:
    """Counted by the workers of one node."""

    def __init__(self) -> None:
        self._restarts = Counter(
            "reconciler_kubelet_container_restarts",
            "Containers started again after they had ended.",
            "namespace",
        )
        self._probes = Counter(
            "reconciler_kubelet_probes",
            "Probes by what they found.",
            "probe_type", "result",
        )  # fmt: skip

    def restarted(self, pod: Object) -> None:
        """A container of a Pod is started, and not for the first time."""
        self._restarts.add(namespace_of(pod))

    def probed(self, kind: str, *, ok: bool) -> None:
        """A probe has an answer."""
        self._probes.add(kind, "success" if ok else "failure")

    def families(self, pods: Iterable[tuple[ContainerStatus, ...]]) -> list[Family]:
        """Return the figures; ``pods`` are the containers of each Pod as they were seen last."""
        everyone = list(pods)
        states = Tally(c.state.value for containers in everyone for c in containers)
        return [
            gauge("reconciler_kubelet_pods", "Pods that are kept here.", (), [((), len(everyone))]),
            gauge(
                "reconciler_kubelet_containers", "Containers by state.", ("state",),
                [((s.removeprefix("CONTAINER_").lower(),), n) for s, n in sorted(states.items())],
            ),
            self._restarts.family(),
            self._probes.family(),
        ]  # fmt: skip
