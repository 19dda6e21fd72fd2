"""PodStatus as Kubernetes writes it, from the spec and what was observed. Pure (P11 to P20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.clock import rfc3339
from reconciler.kubelet.conditions import Parts, pod_conditions
from reconciler.kubelet.container_status import Look, Role, container_status
from reconciler.kubelet.observed import Observed, ready_sandbox
from reconciler.kubelet.restarts import cut_by_deadline, init_failed, is_sidecar

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: The reason of a Pod that activeDeadlineSeconds ended.
DEADLINE = "DeadlineExceeded"
#: Fields of a Pod's status that others write.
_KEPT = ("qosClass", "nominatedNodeName", "resize", "extendedResourceClaimStatus")


def pod_status(
    pod: Object, observed: Observed, now: float, *, host_ip: str, runtime: str, over: bool = False
) -> dict[str, Any]:
    """Return a Pod's whole status. ``over``: nothing of it runs any more and never will."""
    spec, old = pod["spec"], pod.get("status") or {}
    waits = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
    look = Look(pod, observed, now, runtime, over)
    init = [
        container_status(c, look, Role(init=True, waits=waits))
        for c in spec.get("initContainers") or ()
    ]
    main = [container_status(c, look, Role(waits=waits)) for c in spec["containers"]]
    debug = [
        container_status(c, look, Role(ephemeral=True))
        for c in spec.get("ephemeralContainers") or ()
    ]
    phase = _phase(pod, observed, main, now, over=over)
    status: dict[str, Any] = {k: v for k, v in old.items() if k in _KEPT}
    status["phase"] = phase
    status["observedGeneration"] = pod["metadata"].get("generation", 1)
    status["hostIP"] = host_ip
    status["hostIPs"] = [{"ip": host_ip}]
    status["startTime"] = old.get("startTime") or rfc3339(now)
    sandbox = ready_sandbox(observed)
    ip = sandbox.ip if sandbox is not None else ("" if phase == "Pending" else old.get("podIP", ""))
    if ip:
        status["podIP"] = ip
        status["podIPs"] = [{"ip": ip}]
    _say_why(status, pod, observed, now)
    if init:
        status["initContainerStatuses"] = init
    status["containerStatuses"] = main
    if debug:
        status["ephemeralContainerStatuses"] = debug
    initialised = _initialised(spec, init, main)
    parts = Parts(init, main, phase, sandbox is not None, initialised, observed.eviction)
    status["conditions"] = pod_conditions(pod, parts, now)
    return status


def _say_why(status: dict[str, Any], pod: Object, observed: Observed, now: float) -> None:
    """Say why a Pod is Failed where its containers do not; the first reason stays."""
    old = pod.get("status") or {}
    if old.get("phase") in ("Failed", "Succeeded"):
        status.update({field: old[field] for field in ("reason", "message") if old.get(field)})
    elif status["phase"] != "Failed":
        return
    elif observed.eviction:
        status["reason"], status["message"] = "Evicted", observed.eviction
    elif cut_by_deadline(pod, observed, now):
        status["reason"] = DEADLINE
        status["message"] = "Pod was active on the node longer than the specified deadline"


def _phase(
    pod: Object,
    observed: Observed,
    main: list[dict[str, Any]],
    now: float,
    *,
    over: bool,
) -> str:
    """Return the phase (P11 to P16); a finished Pod stays finished."""
    old = (pod.get("status") or {}).get("phase")
    if old in ("Succeeded", "Failed"):
        return str(old)
    if over:
        done = all(_exit_code(s) == 0 for s in main) and not init_failed(pod["spec"], observed)
        cut = observed.eviction or cut_by_deadline(pod, observed, now)
        return "Succeeded" if done and not cut else "Failed"
    waits = any("waiting" in s["state"] and not s["lastState"] for s in main)
    return "Pending" if waits else "Running"


def _exit_code(status: dict[str, Any]) -> int | None:
    terminated = status["state"].get("terminated")
    return terminated["exitCode"] if terminated else None


def _initialised(
    spec: dict[str, Any], init: list[dict[str, Any]], main: list[dict[str, Any]]
) -> bool:
    if any("running" in s["state"] or "terminated" in s["state"] for s in main):
        return True
    for container, status in zip(spec.get("initContainers") or (), init, strict=True):
        if is_sidecar(container):
            if not status.get("started"):
                return False
        elif _exit_code(status) != 0:
            return False
    return True
