"""ContainerStatus as Kubernetes writes it. Pure (P04, P20, B03, B08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api.objects import is_deleting
from reconciler.clock import left_of, rfc3339
from reconciler.kubelet.observed import Observed, initial_probe_state, newest, told_status
from reconciler.kubelet.restarts import is_sidecar, restarts, wait_for
from reconciler.runtime.cri import ContainerState, ContainerStatus

if TYPE_CHECKING:
    from reconciler.api.objects import Object


class Role(NamedTuple):
    """What a container is in its Pod, and the state that it waits in before its first start."""

    init: bool = False
    ephemeral: bool = False
    waits: str = "ContainerCreating"


class Look(NamedTuple):
    """One look at a Pod. ``over``: nothing of it runs any more and never will; ``runtime`` names the id's scheme."""

    pod: Object
    observed: Observed
    now: float
    runtime: str
    over: bool = False


def container_status(container: dict[str, Any], look: Look, role: Role) -> dict[str, Any]:
    """Return the whole status of one container."""
    name, observed = container["name"], look.observed
    last = newest(observed.containers, name)
    before = told_status(look.pod, name)
    result: dict[str, Any] = {
        "name": name,
        "image": container.get("image", ""),
        "imageID": last.image_ref if last else before.get("imageID", ""),
        "ready": False,
        "started": False,
        "restartCount": last.attempt if last else before.get("restartCount", 0),
        "state": {},
        "lastState": {},
    }
    if last is not None:
        result["containerID"] = f"{look.runtime}://{last.id}"
        previous = [
            c for c in observed.containers if c.name == name and c.attempt == last.attempt - 1
        ]
        if previous:
            result["lastState"] = {"terminated": terminated(previous[0], look)}
    _say_state(result, container, last, look, role)
    _say_resources(result, container, last)
    return result


def _say_state(
    result: dict[str, Any],
    container: dict[str, Any],
    last: ContainerStatus | None,
    look: Look,
    role: Role,
) -> None:
    observed = look.observed
    failure = observed.failures.get(container["name"]) or observed.failures.get("")
    waiting = failure.waiting(look.now) if failure is not None and not look.over else None
    if last is not None and last.state is ContainerState.RUNNING:
        probes = observed.probes.get(last.id) or initial_probe_state(container)
        hooked = last.id not in observed.hooks
        result["state"] = {"running": {"startedAt": rfc3339(last.started_at)}}
        result["started"] = probes.started and hooked
        result["ready"] = probes.ready and result["started"] and not role.ephemeral
        if role.init and not is_sidecar(container):
            result["ready"] = False
    elif last is not None and last.state is ContainerState.EXITED:
        result["state"] = {"terminated": terminated(last, look)}
        result["ready"] = role.init and last.exit_code == 0 and not is_sidecar(container)
        waiting = _back_off(container, last, look, role) or waiting
        if waiting is not None:
            result["lastState"] = result["state"]
            result["state"] = {"waiting": waiting}
    elif last is None and look.over and _ran(look.pod, container["name"]):
        _say_lost(result, told_status(look.pod, container["name"]))
    else:
        result["state"] = {"waiting": waiting or {"reason": role.waits}}


def _ran(pod: Object, name: str) -> bool:
    return "containerID" in told_status(pod, name)


def _say_lost(result: dict[str, Any], before: dict[str, Any]) -> None:
    """A container ran, and the runtime knows nothing of it any more: how it ended will never be known."""
    result["containerID"] = before["containerID"]
    ended = (before.get("state") or {}).get("terminated") or {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
    result["state"] = {"terminated": ended}


def _say_resources(
    result: dict[str, Any], container: dict[str, Any], last: ContainerStatus | None
) -> None:
    """Say which resources and volumes a container that was started has."""
    if last is None:
        return
    resources = container.get("resources") or {}
    if resources.get("requests"):
        result["allocatedResources"] = dict(resources["requests"])
    shown = {k: dict(resources[k]) for k in ("limits", "requests") if resources.get(k)}
    if shown:
        result["resources"] = shown
    mounts = [
        {
            "name": m["name"],
            "mountPath": m["mountPath"],
            **({"readOnly": True, "recursiveReadOnly": "Disabled"} if m.get("readOnly") else {}),
        }
        for m in container.get("volumeMounts") or ()
    ]
    if mounts:
        result["volumeMounts"] = mounts


def _back_off(
    container: dict[str, Any], last: ContainerStatus, look: Look, role: Role
) -> dict[str, Any] | None:
    """Return the CrashLoopBackOff of a container that waits for its next try (P04)."""
    pod, observed = look.pod, look.observed
    if is_deleting(pod) or look.over or role.ephemeral:
        return None
    again = last.id in observed.replaced or restarts(
        pod["spec"], container, last.exit_code, init=role.init
    )
    wait = wait_for(observed, container, last)
    if not again or not left_of(wait, last.finished_at, look.now):
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


def terminated(status: ContainerStatus, look: Look) -> dict[str, Any]:
    """Return the state of a container that has ended (P20, P37)."""
    result: dict[str, Any] = {
        "exitCode": status.exit_code,
        "reason": status.reason or ("Completed" if status.exit_code == 0 else "Error"),
        "startedAt": rfc3339(status.started_at) if status.started_at else None,
        "finishedAt": rfc3339(status.finished_at) if status.finished_at else None,
        "containerID": f"{look.runtime}://{status.id}",
    }
    if status.signal:
        result["signal"] = status.signal
    message = look.observed.messages.get(status.id) or status.message
    if message:
        result["message"] = message
    return result
