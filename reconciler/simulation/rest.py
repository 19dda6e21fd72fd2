"""What must be true of a world at rest: all is as the repository asks, and nothing else is there. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reconciler.api import pods
from reconciler.api.conditions import is_true
from reconciler.api.objects import labels_of, name_of
from reconciler.simulation.manifests import FEWEST, MOST, TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.api.objects import Object
    from reconciler.runtime.cri import ContainerConfig
    from reconciler.simulation.invariants.live import Live
    from reconciler.simulation.workloads import Workload

#: How far an autoscaler lets usage be from what it wants (HP03).
_TOLERANCE = 0.1


def unmet(
    workloads: Iterable[Workload],
    live: Live,
    told: Mapping[str, ContainerConfig],
    loads: Mapping[str, int],
) -> Iterator[str]:
    """Tell what is not as asked. ``told``: Pod uid → its newest container; ``loads``: workload → millicores."""
    for workload in workloads:
        mine = [
            p
            for p in live.of("", "Pod")
            if labels_of(p).get("app") == workload.name and pods.is_active(p)
        ]
        match workload.kind:
            case "Job":
                yield from _job(workload, live, mine)
            case "CronJob":
                if workload.suspended and mine:
                    yield f"{workload.name} is suspended and has {len(mine)} Pods"
            case _:
                yield from _server(workload, live, mine, loads.get(workload.name, 0))
                if workload.rolls:
                    yield from _contents(workload, mine, told)


def _job(workload: Workload, live: Live, mine: list[Object]) -> Iterator[str]:
    job = live.objects[f"/batch/Job/default/{workload.name}"]
    if mine:
        yield f"{workload.name} is at rest and has {len(mine)} Pods"
    if is_true(job, "Complete"):
        told = (job.get("status") or {}).get("succeeded")
        if told != workload.replicas:
            yield f"{workload.name} has {told} successes of {workload.replicas}"
    elif not workload.suspended:
        yield f"{workload.name} is not complete"


def _server(workload: Workload, live: Live, mine: list[Object], load: int) -> Iterator[str]:
    wanted = 1 if workload.kind == "DaemonSet" else workload.replicas
    if workload.autoscaled:
        obj = live.objects[f"/apps/Deployment/default/{workload.name}"]
        wanted = int(obj["spec"]["replicas"])
        right = min(max(math.ceil(load / TARGET), FEWEST), MOST)
        # Whoever scales to none by hand has switched the autoscaler off (HP02).
        if wanted not in (0, right) and abs(load / (max(wanted, 1) * TARGET) - 1) > _TOLERANCE:
            yield f"{workload.name} is scaled to {wanted}; a load of {load} needs {right}"
    if len(mine) != wanted:
        yield f"{workload.name} has {len(mine)} Pods of {wanted}"
    if workload.kind == "StatefulSet":
        names = {name_of(p) for p in mine}
        if names != {f"{workload.name}-{n}" for n in range(wanted)}:
            yield f"{workload.name} has Pods {', '.join(sorted(names))}"
    for pod in mine:
        if not pods.is_ready(pod):
            yield f"{name_of(pod)} is not ready"


def _contents(
    workload: Workload, mine: list[Object], told: Mapping[str, ContainerConfig]
) -> Iterator[str]:
    """Tell which Pods run something else than the repository says."""
    version = str(workload.config)
    wanted = {
        "image": f"app:{workload.image}", "EDITED": str(workload.env), "SETTING": version, "KEY": version,
    }  # fmt: skip
    for pod in mine:
        container = told[pod["metadata"]["uid"]]
        runs = {"image": container.image, **container.env}
        wrong = [f"{k} {runs.get(k)}, not {v}" for k, v in wanted.items() if runs.get(k) != v]
        if wrong:
            yield f"{name_of(pod)} runs with {', '.join(wrong)}"
