"""PodStatus as Kubernetes writes it, from the spec and what was observed. Pure (P01-P09, P50-P55)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.objects import is_deleting
from reconciler.clock import rfc3339
from reconciler.kubelet.pod import (
    Observed,
    backoff,
    deadline_passed,
    initial_probe_state,
    is_sidecar,
    newest,
    ready_sandbox,
)
from reconciler.runtime.cri import ContainerState, ContainerStatus

if TYPE_CHECKING:
    from reconciler.api.objects import Object

#: Conditions that the kubelet owns; others (PodScheduled, readiness gates) are kept as they are.
_OURS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


def pod_status(
    pod: Object, observed: Observed, now: float, *, host_ip: str, runtime: str, over: bool = False
) -> dict[str, Any]:
    """Return a Pod's whole status. ``over``: nothing of it runs any more and never will."""
    spec, old = pod["spec"], pod.get("status") or {}
    init = [
        _container_status(c, pod, observed, now, runtime, init=True)
        for c in spec.get("initContainers") or ()
    ]
    main = [
        _container_status(c, pod, observed, now, runtime, init=False) for c in spec["containers"]
    ]
    initialised = _initialised(spec, init, main)
    if not initialised:
        _say_initialising(main, init)
    phase = _phase(pod, init, main, over=over, now=now)
    status: dict[str, Any] = {
        k: v for k, v in old.items() if k in ("qosClass", "nominatedNodeName", "resize")
    }
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
    _say_why(status, pod, now)
    if init:
        status["initContainerStatuses"] = init
    status["containerStatuses"] = main
    status["conditions"] = _conditions(
        pod, init, main, phase, now, sandbox=sandbox is not None, initialised=initialised
    )
    return status


def _say_why(status: dict[str, Any], pod: Object, now: float) -> None:
    old = pod.get("status") or {}
    if deadline_passed(pod, now):
        status["reason"] = "DeadlineExceeded"
        status["message"] = "Pod was active on the node longer than the specified deadline"
    elif status["phase"] in ("Failed", "Succeeded"):
        for field in ("reason", "message"):
            if old.get(field):
                status[field] = old[field]


def _phase(
    pod: Object,
    init: list[dict[str, Any]],
    main: list[dict[str, Any]],
    *,
    over: bool,
    now: float,
) -> str:
    """Return the phase (P02-P06); a finished Pod stays finished."""
    old = (pod.get("status") or {}).get("phase")
    if old in ("Succeeded", "Failed"):
        return str(old)
    if over:
        if deadline_passed(pod, now):
            return "Failed"
        codes = [_exit_code(s) for s in main]
        failed_init = any(
            _exit_code(s) not in (0, None)
            for s, c in zip(init, pod["spec"].get("initContainers") or (), strict=True)
            if not is_sidecar(c)
        )
        if not failed_init and all(code == 0 for code in codes):
            return "Succeeded"
        return "Failed"
    started = any("running" in s["state"] or ("lastState" in s and s["lastState"]) for s in main)
    ended = any("terminated" in s["state"] for s in main)
    return "Running" if started or ended else "Pending"


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


def _say_initialising(main: list[dict[str, Any]], init: list[dict[str, Any]]) -> None:
    for status in main if init else ():
        waiting = status["state"].get("waiting")
        if waiting is not None and waiting.get("reason") == "ContainerCreating":
            status["state"] = {"waiting": {"reason": "PodInitializing"}}


def _container_status(
    container: dict[str, Any],
    pod: Object,
    observed: Observed,
    now: float,
    runtime: str,
    *,
    init: bool,
) -> dict[str, Any]:
    name = container["name"]
    last = newest(observed.containers, name)
    result: dict[str, Any] = {
        "name": name,
        "image": container.get("image", ""),
        "imageID": last.image_ref if last else "",
        "ready": False,
        "started": False,
        "restartCount": last.attempt if last else 0,
        "state": {},
        "lastState": {},
    }
    failure = observed.failures.get(name) or observed.failures.get("")
    if last is not None:
        result["containerID"] = f"{runtime}://{last.id}"
        previous = [
            c for c in observed.containers if c.name == name and c.attempt == last.attempt - 1
        ]
        if previous:
            result["lastState"] = {"terminated": _terminated(previous[0], runtime)}
    if last is not None and last.state is ContainerState.RUNNING:
        probes = observed.probes.get(last.id) or initial_probe_state(container)
        hooked = last.id not in observed.hooks
        result["state"] = {"running": {"startedAt": rfc3339(last.started_at)}}
        result["started"] = probes.started and hooked
        result["ready"] = probes.ready and probes.started and hooked and not is_deleting(pod)
    elif last is not None and last.state is ContainerState.EXITED:
        result["state"] = {"terminated": _terminated(last, runtime)}
        if init and last.exit_code == 0 and not is_sidecar(container):
            result["ready"] = True
        waiting = _back_off(pod, container, last, observed, now)
        if waiting is None and failure is not None:
            waiting = {"reason": failure.reason, "message": failure.message}
        if waiting is not None:
            result["lastState"] = result["state"]
            result["state"] = {"waiting": waiting}
    elif failure is not None:
        result["state"] = {"waiting": {"reason": failure.reason, "message": failure.message}}
    else:
        result["state"] = {"waiting": {"reason": "ContainerCreating"}}
    return result


def _back_off(
    pod: Object,
    container: dict[str, Any],
    last: ContainerStatus,
    observed: Observed,
    now: float,
) -> dict[str, Any] | None:
    """Return the CrashLoopBackOff of a container that waits for its next try (P22)."""
    policy = "Always" if is_sidecar(container) else pod["spec"].get("restartPolicy", "Always")
    if is_deleting(pod) or policy == "Never":
        return None
    init = container in (pod["spec"].get("initContainers") or ()) and not is_sidecar(container)
    if last.exit_code == 0 and (policy == "OnFailure" or init):
        return None
    wait = backoff(observed.crashes.get(last.name, last.attempt + 1))
    if last.finished_at + wait <= now:
        return None
    meta = pod["metadata"]
    where = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    return {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {_seconds(wait)} restarting failed container={last.name} pod={where}",
    }


def _seconds(wait: float) -> str:
    minutes, seconds = divmod(int(wait), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _terminated(status: ContainerStatus, runtime: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "exitCode": status.exit_code,
        "reason": status.reason or ("Completed" if status.exit_code == 0 else "Error"),
        "startedAt": rfc3339(status.started_at) if status.started_at else None,
        "finishedAt": rfc3339(status.finished_at) if status.finished_at else None,
        "containerID": f"{runtime}://{status.id}",
    }
    if status.signal:
        result["signal"] = status.signal
    if status.message:
        result["message"] = status.message
    return result


def _conditions(
    pod: Object,
    init: list[dict[str, Any]],
    main: list[dict[str, Any]],
    phase: str,
    now: float,
    *,
    sandbox: bool,
    initialised: bool,
) -> list[dict[str, Any]]:
    old = (pod.get("status") or {}).get("conditions") or []
    others = {c["type"]: c for c in old if c["type"] not in _OURS}
    sidecars = [
        s
        for s, c in zip(init, pod["spec"].get("initContainers") or (), strict=True)
        if is_sidecar(c)
    ]
    unready = [s["name"] for s in [*sidecars, *main] if not s["ready"]]
    containers_ready = not unready and phase == "Running"
    why: dict[str, str] = {}
    if phase == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif phase == "Failed":
        why = {"reason": "PodFailed"}
    elif unready:
        names = " ".join(unready)
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{names}]",
        }
    gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or ()]
    closed = [g for g in gates if others.get(g, {}).get("status") != "True"]
    ready = containers_ready and not closed
    ready_why = why
    if containers_ready and closed:
        ready_why = {
            "reason": "ReadinessGatesNotReady",
            "message": f"corresponding condition of pod readiness gate {closed[0]!r} does not exist.",
        }
    waiting = [s["name"] for s in init if not s["ready"]]
    init_why = (
        {
            "reason": "ContainersNotInitialized",
            "message": f"containers with incomplete status: [{' '.join(waiting)}]",
        }
        if not initialised
        else ({"reason": "PodCompleted"} if phase == "Succeeded" else {})
    )
    ours = [
        ("PodReadyToStartContainers", sandbox, {}),
        ("Initialized", initialised, init_why),
        ("Ready", ready, {} if ready else ready_why),
        ("ContainersReady", containers_ready, {} if containers_ready else why),
    ]
    before = {c["type"]: c for c in old}
    generation = pod["metadata"].get("generation", 1)
    result = [_condition(before.get(t), t, ok, w, now, generation) for t, ok, w in ours]
    return [*result, *others.values()]


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
