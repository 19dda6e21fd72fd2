"""Nodes, Namespaces, Events, Applications and plain data as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.tables.layout import Cells, Columns, age, is_ready, spec_of, status_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _node(obj: Object) -> Cells:
    shown = "Ready" if is_ready(obj) else "NotReady"
    if spec_of(obj).get("unschedulable"):
        shown += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(k.removeprefix(prefix) for k in labels if k.startswith(prefix))
    return [shown, ",".join(roles) or "<none>"]


def _node_info(obj: Object, name: str) -> str:
    return str((status_of(obj).get("nodeInfo") or {}).get(name) or "<unknown>")


def _node_wide(obj: Object) -> Cells:
    found = {a["type"]: a["address"] for a in reversed(status_of(obj).get("addresses") or ())}
    kernel, machine = _node_info(obj, "kernelVersion"), _node_info(obj, "architecture")
    return [
        found.get("InternalIP", "<none>"), found.get("ExternalIP", "<none>"),
        _node_info(obj, "osImage"), f"{kernel} ({machine})", _node_info(obj, "containerRuntimeVersion"),
    ]  # fmt: skip


def _application(obj: Object) -> Cells:
    status = status_of(obj)
    sync = status.get("sync") or {}
    return [
        sync.get("status", "Unknown"),
        (status.get("health") or {}).get("status", "Unknown"),
        sync.get("revision", "")[:24],
    ]


def _event(obj: Object, now: float) -> Cells:
    about = obj.get("involvedObject") or {}
    seen = obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp")
    return [
        age(seen, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        " ".join(obj.get("message", "").split()),
    ]


COLUMNS: dict[tuple[str, str], Columns] = {
    ("v1", "ConfigMap"): Columns(
        ("DATA",), lambda o: [str(len(o.get("data") or ()) + len(o.get("binaryData") or ()))]
    ),
    ("v1", "Secret"): Columns(
        ("TYPE", "DATA"), lambda o: [o.get("type", ""), str(len(o.get("data") or ()))]
    ),
    ("v1", "Namespace"): Columns(("STATUS",), lambda o: [status_of(o).get("phase", "")]),
    ("v1", "Node"): Columns(
        ("STATUS", "ROLES"), _node,
        ("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"), _node_wide,
        late_titles=("VERSION",), late_cells=lambda o: [_node_info(o, "kubeletVersion")],
    ),
    ("reconciler.dev/v1", "Application"): Columns(("SYNC", "HEALTH", "REVISION"), _application),
    ("v1", "Event"): Columns(
        ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"), timed=_event, bare=True
    ),
}  # fmt: skip
