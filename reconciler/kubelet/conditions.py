"""A Pod's conditions, with the reasons and messages of Kubernetes' ``status/generate.go``. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import rfc3339
from reconciler.kubelet.restarts import is_sidecar

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: Conditions that the kubelet owns; others (PodScheduled, readiness gates) are kept as they are.
OURS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")

DISRUPTION_TARGET = "DisruptionTarget"
BY_KUBELET = "TerminationByKubelet"


class Parts(NamedTuple):
    """What conditions are made from: the statuses of the containers, the phase, whether a sandbox is there."""

    init: list[dict[str, Any]]
    main: list[dict[str, Any]]
    phase: str
    sandbox: bool
    initialised: bool
    eviction: str = ""


def pod_conditions(pod: Object, parts: Parts, now: float) -> list[dict[str, Any]]:
    """Return all conditions of a Pod; a transition time moves only with its status."""
    old = (pod.get("status") or {}).get("conditions") or []
    ours = [
        ("PodReadyToStartContainers", parts.sandbox, {}),
        _initialized(pod, parts),
        _ready(pod, parts, {c["type"]: c for c in old}),
        ("ContainersReady", *_containers_ready(pod, parts)),
    ]
    if parts.eviction:
        why = {"reason": BY_KUBELET, "message": parts.eviction}
        ours.append((DISRUPTION_TARGET, True, why))
    before = {c["type"]: c for c in old}
    generation = pod["metadata"].get("generation", 1)
    result = [_condition(before.get(t), t, ok, w, now, generation) for t, ok, w in ours]
    named = {t for t, _, _ in ours}
    return [*result, *(c for c in old if c["type"] not in named)]


def eviction_of(pod: Object) -> str:
    """Return why the kubelet has begun to evict this Pod; empty where it has not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == DISRUPTION_TARGET and condition.get("reason") == BY_KUBELET:
            return str(condition.get("message") or "")
    return ""


def _initialized(pod: Object, parts: Parts) -> tuple[str, bool, dict[str, str]]:
    if parts.initialised:
        return "Initialized", True, {"reason": "PodCompleted"} if parts.phase == "Succeeded" else {}
    specs = pod["spec"].get("initContainers") or ()
    waiting = [
        s["name"]
        for s, c in zip(parts.init, specs, strict=True)
        if not (s["started"] if is_sidecar(c) else s["ready"])
    ]
    told = f"containers with incomplete status: [{' '.join(waiting)}]"
    return "Initialized", False, {"reason": "ContainersNotInitialized", "message": told}


def _containers_ready(pod: Object, parts: Parts) -> tuple[bool, dict[str, str]]:
    sidecars = [
        s
        for s, c in zip(parts.init, pod["spec"].get("initContainers") or (), strict=True)
        if is_sidecar(c)
    ]
    unready = [s["name"] for s in [*sidecars, *parts.main] if not s["ready"]]
    if parts.phase == "Succeeded":
        return False, {"reason": "PodCompleted"}
    if parts.phase == "Failed":
        return False, {"reason": "PodFailed"}
    if not unready:
        return parts.phase == "Running", {}
    told = f"containers with unready status: [{' '.join(unready)}]"
    return False, {"reason": "ContainersNotReady", "message": told}


def _ready(
    pod: Object, parts: Parts, conditions: dict[str, dict[str, Any]]
) -> tuple[str, bool, dict[str, str]]:
    """Return Ready: the containers are, and every readiness gate's condition is True."""
    ready, why = _containers_ready(pod, parts)
    if not ready:
        return "Ready", False, why
    closed = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        status = conditions[kind].get("status") if kind in conditions else None
        if status is None:
            closed.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif status != "True":
            closed.append(f'the status of pod readiness gate "{kind}" is not "True", but {status}')
    if closed:
        return "Ready", False, {"reason": "ReadinessGatesNotReady", "message": ", ".join(closed)}
    return "Ready", True, {}


def _condition(
    before: dict[str, Any] | None,
    kind: str,
    true: bool,
    why: dict[str, str],
    now: float,
    generation: int,
) -> dict[str, Any]:
    status = "True" if true else "False"
    changed = (
        before["lastTransitionTime"] if before and before["status"] == status else rfc3339(now)
    )
    return {
        "type": kind,
        "status": status,
        "observedGeneration": generation,
        "lastProbeTime": None,
        "lastTransitionTime": changed,
        **why,
    }
