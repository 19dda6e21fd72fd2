"""Objects as rows: kubectl's columns, kind by kind. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.clock import parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.api.objects import Object

Cells = list[str]


class Columns(NamedTuple):
    """A kind's columns after NAME and before AGE; ``wide`` come after AGE with ``-o wide``.

    ``timed`` stands in for ``cells`` where the time matters; ``late`` come after AGE always; ``bare`` kinds have
    neither NAME nor AGE.
    """

    titles: tuple[str, ...]
    cells: Callable[[Object], Cells] = lambda _: []
    wide_titles: tuple[str, ...] = ()
    wide_cells: Callable[[Object], Cells] = lambda _: []
    timed: Callable[[Object, float], Cells] | None = None
    late_titles: tuple[str, ...] = ()
    late_cells: Callable[[Object], Cells] = lambda _: []
    bare: bool = False


def table(
    objects: Sequence[Object],
    now: float,
    *,
    namespaces: bool = False,
    wide: bool = False,
    prefix: str = "",
) -> str:
    """Return objects of one kind as a table. ``prefix`` goes before each name (``deployment.apps/``)."""
    if not objects:
        return ""
    columns = COLUMNS.get(
        (str(objects[0].get("apiVersion")), str(objects[0].get("kind"))), Columns((), lambda _: [])
    )
    titles = [*columns.titles] if columns.bare else ["NAME", *columns.titles, "AGE"]
    titles = [*(["NAMESPACE"] if namespaces else []), *titles, *columns.late_titles]
    titles += columns.wide_titles if wide else ()
    rows: list[Cells] = [titles]
    for obj in objects:
        meta = obj["metadata"]
        row = [meta.get("namespace", "")] if namespaces else []
        cells = columns.timed(obj, now) if columns.timed else columns.cells(obj)
        if not columns.bare:
            cells = [prefix + meta["name"], *cells, age(meta.get("creationTimestamp"), now)]
        row += [*cells, *columns.late_cells(obj)]
        rows.append([*row, *(columns.wide_cells(obj) if wide else [])])
    return aligned(rows)


def aligned(rows: Sequence[Cells]) -> str:
    """Return rows with columns three spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def age(timestamp: str | None, now: float) -> str:
    """Return how long ago something was, as kubectl shortens it."""
    return duration(now - parse_rfc3339(timestamp)) if timestamp else "<unknown>"


def duration(seconds: float) -> str:
    """Shorten a duration: two units while they matter.

    >>> duration(45), duration(150), duration(7300), duration(200000)
    ('45s', '2m30s', '121m', '2d7h')
    """
    whole = max(int(seconds), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d"


def _spec(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def _status(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def pod_state(pod: Object) -> str:
    """Return what kubectl shows as a Pod's STATUS."""
    status = _status(pod)
    shown = str(status.get("reason") or status.get("phase") or "Unknown")
    specs = {c["name"]: c for c in _spec(pod).get("initContainers") or ()}
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
        shown = "Running" if _is_ready(pod) else "NotReady"
    over = status.get("phase") in ("Succeeded", "Failed")
    return "Terminating" if pod["metadata"].get("deletionTimestamp") and not over else shown


def _is_ready(obj: Object) -> bool:
    conditions = _status(obj).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _pod(pod: Object, now: float) -> Cells:
    """Return READY, STATUS, RESTARTS; sidecars count among the containers."""
    spec, status = _spec(pod), _status(pod)
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
    status, spec = _status(pod), _spec(pod)
    gates = [g["conditionType"] for g in spec.get("readinessGates") or ()]
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    return [
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{sum(g in true for g in gates)}/{len(gates)}" if gates else "<none>",
    ]


def _templates(obj: Object) -> Cells:
    containers = ((_spec(obj).get("template") or {}).get("spec") or {}).get("containers") or ()
    names = ",".join(c["name"] for c in containers)
    return [
        names,
        ",".join(c.get("image", "") for c in containers),
        _selector(_spec(obj).get("selector")),
    ]


def _selector(selector: Any) -> str:
    labels = (selector or {}).get("matchLabels", selector) or {}
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if isinstance(v, str)) or "<none>"


def _deployment(obj: Object) -> Cells:
    status = _status(obj)
    want = _spec(obj).get("replicas", 1)
    return [
        f"{status.get('readyReplicas', 0)}/{want}",
        str(status.get("updatedReplicas", 0)),
        str(status.get("availableReplicas", 0)),
    ]


def _replica_set(obj: Object) -> Cells:
    status = _status(obj)
    return [
        str(_spec(obj).get("replicas", 1)),
        str(status.get("replicas", 0)),
        str(status.get("readyReplicas", 0)),
    ]


def _daemon_set(obj: Object) -> Cells:
    status = _status(obj)
    selector = ((_spec(obj).get("template") or {}).get("spec") or {}).get("nodeSelector")
    fields = (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady",
        "updatedNumberScheduled", "numberAvailable",
    )  # fmt: skip
    return [*(str(status.get(field, 0)) for field in fields), _selector(selector)]


def _job(obj: Object, now: float) -> Cells:
    """Return STATUS, COMPLETIONS, DURATION."""
    spec, status = _spec(obj), _status(obj)
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    ways = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")
    shown = next((way for way in ways if way in true), "Running")
    if obj["metadata"].get("deletionTimestamp"):
        shown = "Terminating"
    wanted, parallel = spec.get("completions"), spec.get("parallelism") or 0
    if wanted is None:
        wanted = f"1 of {parallel}" if parallel > 1 else 1
    begun, ended = status.get("startTime"), status.get("completionTime")
    took = ""
    if begun:
        took = duration((parse_rfc3339(ended) if ended else now) - parse_rfc3339(begun))
    return [shown, f"{status.get('succeeded', 0)}/{wanted}", took]


def _cron_job(obj: Object, now: float) -> Cells:
    spec, status = _spec(obj), _status(obj)
    last = status.get("lastScheduleTime")
    return [
        str(spec.get("schedule", "")), spec.get("timeZone") or "<none>",
        str(bool(spec.get("suspend"))), str(len(status.get("active") or ())),
        age(last, now) if last else "<none>",
    ]  # fmt: skip


def _service(obj: Object) -> Cells:
    spec = _spec(obj)
    ports = ",".join(
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol', 'TCP')}"
        for p in spec.get("ports") or ()
    )
    outside = "<none>"
    if spec.get("type") == "LoadBalancer":
        outside = _balancer(obj) or "<pending>"
    elif spec.get("type") == "ExternalName":
        outside = spec.get("externalName", "")
    return [
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        outside,
        ports or "<none>",
    ]


def _balancer(obj: Object) -> str:
    found = (_status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(i.get("ip") or i.get("hostname", "") for i in found)


def _ingress(obj: Object) -> Cells:
    spec = _spec(obj)
    hosts = ",".join(dict.fromkeys(r.get("host") or "*" for r in spec.get("rules") or ())) or "*"
    ports = "80, 443" if spec.get("tls") else "80"
    return [spec.get("ingressClassName") or "<none>", hosts, _balancer(obj), ports]


def _modes(modes: Any) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    return ",".join(short.get(m, m) for m in modes or ())


def _claim(obj: Object) -> Cells:
    spec, status = _spec(obj), _status(obj)
    return [
        status.get("phase", ""), spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", ""), _modes(status.get("accessModes")),
        spec.get("storageClassName") or "", spec.get("volumeAttributesClassName") or "<unset>",
    ]  # fmt: skip


def _volume(obj: Object) -> Cells:
    spec, ref = _spec(obj), _spec(obj).get("claimRef") or {}
    claim = f"{ref['namespace']}/{ref['name']}" if ref else ""
    return [
        (spec.get("capacity") or {}).get("storage", ""), _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""), _status(obj).get("phase", ""), claim,
        spec.get("storageClassName") or "", spec.get("volumeAttributesClassName") or "<unset>",
        _status(obj).get("reason", ""),
    ]  # fmt: skip


def _volume_mode(obj: Object) -> Cells:
    return [_spec(obj).get("volumeMode") or "Filesystem"]


def _node(obj: Object) -> Cells:
    shown = "Ready" if _is_ready(obj) else "NotReady"
    if _spec(obj).get("unschedulable"):
        shown += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(k.removeprefix(prefix) for k in labels if k.startswith(prefix))
    return [shown, ",".join(roles) or "<none>"]


def _node_info(obj: Object, name: str) -> str:
    return str((_status(obj).get("nodeInfo") or {}).get(name) or "<unknown>")


def _node_wide(obj: Object) -> Cells:
    found = {a["type"]: a["address"] for a in reversed(_status(obj).get("addresses") or ())}
    kernel, machine = _node_info(obj, "kernelVersion"), _node_info(obj, "architecture")
    return [
        found.get("InternalIP", "<none>"), found.get("ExternalIP", "<none>"),
        _node_info(obj, "osImage"), f"{kernel} ({machine})", _node_info(obj, "containerRuntimeVersion"),
    ]  # fmt: skip


def _slice(obj: Object) -> Cells:
    ports = ",".join(str(p.get("port", "<unset>")) for p in obj.get("ports") or ()) or "<unset>"
    addresses = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    shown = ",".join(addresses[:3]) + (
        f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    )
    return [obj.get("addressType", ""), ports, shown or "<unset>"]


def _application(obj: Object) -> Cells:
    status = _status(obj)
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


def _class(obj: Object) -> Cells:
    """Return a StorageClass's cells."""
    return [
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        str(bool(obj.get("allowVolumeExpansion"))).lower(),
    ]


def _ingress_class(obj: Object) -> Cells:
    ref = _spec(obj).get("parameters") or {}
    kind = f"{ref.get('kind')}.{ref['apiGroup']}" if ref.get("apiGroup") else ref.get("kind")
    return [_spec(obj).get("controller", ""), f"{kind}/{ref.get('name')}" if ref else "<none>"]


def _controller_revision(obj: Object) -> Cells:
    owners = obj["metadata"].get("ownerReferences") or ()
    owner = next((r for r in owners if r.get("controller")), None)
    if owner is None:
        return ["<none>", str(obj.get("revision", ""))]
    group = owner["apiVersion"].rpartition("/")[0]
    kind = f"{owner['kind'].lower()}.{group}" if group else owner["kind"].lower()
    return [f"{kind}/{owner['name']}", str(obj.get("revision", ""))]


_WORKLOAD_WIDE = ("CONTAINERS", "IMAGES", "SELECTOR")

COLUMNS: dict[tuple[str, str], Columns] = {
    ("v1", "Pod"): Columns(
        ("READY", "STATUS", "RESTARTS"), timed=_pod,
        wide_titles=("IP", "NODE", "NOMINATED NODE", "READINESS GATES"), wide_cells=_pod_wide,
    ),
    ("apps/v1", "ControllerRevision"): Columns(("CONTROLLER", "REVISION"), _controller_revision),
    ("apps/v1", "Deployment"): Columns(
        ("READY", "UP-TO-DATE", "AVAILABLE"), _deployment, _WORKLOAD_WIDE, _templates
    ),
    ("apps/v1", "ReplicaSet"): Columns(
        ("DESIRED", "CURRENT", "READY"), _replica_set, _WORKLOAD_WIDE, _templates
    ),
    ("apps/v1", "StatefulSet"): Columns(
        ("READY",), lambda o: _deployment(o)[:1], _WORKLOAD_WIDE[:2], lambda o: _templates(o)[:2]
    ),
    ("apps/v1", "DaemonSet"): Columns(
        ("DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR"), _daemon_set,
        _WORKLOAD_WIDE, _templates,
    ),
    ("batch/v1", "Job"): Columns(
        ("STATUS", "COMPLETIONS", "DURATION"), timed=_job,
        wide_titles=_WORKLOAD_WIDE, wide_cells=_templates,
    ),
    ("batch/v1", "CronJob"): Columns(
        ("SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE"), timed=_cron_job,
        wide_titles=_WORKLOAD_WIDE,
        wide_cells=lambda o: _templates({"spec": (_spec(o).get("jobTemplate") or {}).get("spec")}),
    ),
    ("v1", "Service"): Columns(
        ("TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)"), _service,
        ("SELECTOR",), lambda o: [_selector(_spec(o).get("selector"))],
    ),
    ("networking.k8s.io/v1", "Ingress"): Columns(("CLASS", "HOSTS", "ADDRESS", "PORTS"), _ingress),
    ("networking.k8s.io/v1", "IngressClass"): Columns(
        ("CONTROLLER", "PARAMETERS"), _ingress_class
    ),
    ("v1", "ConfigMap"): Columns(
        ("DATA",), lambda o: [str(len(o.get("data") or ()) + len(o.get("binaryData") or ()))]
    ),
    ("v1", "Secret"): Columns(
        ("TYPE", "DATA"), lambda o: [o.get("type", ""), str(len(o.get("data") or ()))]
    ),
    ("v1", "PersistentVolumeClaim"): Columns(
        ("STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS"), _claim,
        ("VOLUMEMODE",), _volume_mode,
    ),
    ("v1", "PersistentVolume"): Columns(
        ("CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS",
         "VOLUMEATTRIBUTESCLASS", "REASON"), _volume, ("VOLUMEMODE",), _volume_mode,
    ),
    ("storage.k8s.io/v1", "StorageClass"): Columns(
        ("PROVISIONER", "RECLAIMPOLICY", "VOLUMEBINDINGMODE", "ALLOWVOLUMEEXPANSION"), _class
    ),
    ("v1", "Namespace"): Columns(("STATUS",), lambda o: [_status(o).get("phase", "")]),
    ("v1", "Node"): Columns(
        ("STATUS", "ROLES"), _node,
        ("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"), _node_wide,
        late_titles=("VERSION",), late_cells=lambda o: [_node_info(o, "kubeletVersion")],
    ),
    ("discovery.k8s.io/v1", "EndpointSlice"): Columns(("ADDRESSTYPE", "PORTS", "ENDPOINTS"), _slice),
    ("reconciler.dev/v1", "Application"): Columns(("SYNC", "HEALTH", "REVISION"), _application),
    ("v1", "Event"): Columns(
        ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"), timed=_event, bare=True
    ),
}  # fmt: skip
