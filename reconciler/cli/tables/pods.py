"""Pods as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.tables.layout import Cells, Columns, age, is_ready, spec_of, status_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def pod_state(pod: Object) -> str:
    """Return what kubectl shows as a Pod's STATUS."""
    status = status_of(pod)
    shown = str(status.get("reason") or status.get("phase") or "Unknown")
    specs = {c["name"]: c for c in spec_of(pod).get("initContainers") or ()}
    init = status.get("initContainerStatuses") or []
    for number, container in enumerate(init):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        sidecar = specs.get(container["name"], {}).get("restartPolicy") == "Always"
        if (ended and ended["exitCode"] == 0) or (sidecar and container.get("started")):
            continue
        if ended:
            return f"Init:{ended.get('reason') or 'ExitCode:' + str(ended['exitCode'])}"
        if waiting and waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"Init:{waiting['reason']}"
        if not pod["metadata"].get("deletionTimestamp"):
            return f"Init:{number}/{len(init)}"
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            shown = state["waiting"]["reason"]
        elif ended := state.get("terminated"):
            shown = ended.get("reason") or f"ExitCode:{ended['exitCode']}"
        elif state.get("running") is not None and container.get("ready"):
            running = True
    if shown == "Completed" and running:
        shown = "Running" if is_ready(pod) else "NotReady"
    over = status.get("phase") in ("Succeeded", "Failed")
    return "Terminating" if pod["metadata"].get("deletionTimestamp") and not over else shown


def _pod(pod: Object, now: float) -> Cells:
    """Return READY, STATUS, RESTARTS; sidecars count among the containers."""
    spec, status = spec_of(pod), status_of(pod)
    sidecars = {
        c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"
    }
    counted = [
        *(c for c in status.get("initContainerStatuses") or () if c["name"] in sidecars),
        *(status.get("containerStatuses") or ()),
    ]
    state = pod_state(pod)
    starting = state.startswith("Init:")
    restarted = (status.get("initContainerStatuses") or []) if starting else counted
    total = len(spec.get("containers") or ()) + len(sidecars)
    restarts = sum(c.get("restartCount", 0) for c in restarted)
    ended = [
        ((c.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
        for c in restarted
    ]
    last = max(ended, default="")
    shown = f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts)
    return [f"{sum(bool(c.get('ready')) for c in counted)}/{total}", state, shown]


def _pod_wide(pod: Object) -> Cells:
    status, spec = status_of(pod), spec_of(pod)
    gates = [g["conditionType"] for g in spec.get("readinessGates") or ()]
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    return [
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{sum(g in true for g in gates)}/{len(gates)}" if gates else "<none>",
    ]


COLUMNS: dict[tuple[str, str], Columns] = {
    ("v1", "Pod"): Columns(
        ("READY", "STATUS", "RESTARTS"), timed=_pod,
        wide_titles=("IP", "NODE", "NOMINATED NODE", "READINESS GATES"), wide_cells=_pod_wide,
    ),
}  # fmt: skip
