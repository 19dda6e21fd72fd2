"""EndpointSlices of Services with a selector (kube-controller-manager's ``endpointslice-controller``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import kinds
from reconciler.api.decision import NOTHING, Action, Create, Decision, Delete, Update, Watch
from reconciler.api.objects import (
    Key,
    controller_ref,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from reconciler.api.pods import is_finished, is_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

MAX_ENDPOINTS = 100
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
_HEADLESS = "service.kubernetes.io/headless"

#: One set of resolved ports: (name, protocol, port, appProtocol).
Ports = tuple[tuple[str, str, int, str], ...]


class EndpointSliceController:
    """Plans the slices of one Service (S08 to S13)."""

    name = "endpointslice-controller"

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(kinds.SERVICE, lambda obj, _: (Key.of(obj),)),
            Watch(kinds.POD, _services_of),
            Watch(kinds.ENDPOINT_SLICE, _service_of),
        )

    def plan(self, key: Key, snapshot: Snapshot, now: float) -> Decision:  # noqa: ARG002
        """Decide the slices of one Service; slices that already are right are not written."""
        service = snapshot.get(kinds.SERVICE, key.namespace, key.name)
        if service is None or is_deleting(service):
            return NOTHING  # the garbage collector takes the slices along (S22)
        spec = service.get("spec") or {}
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return NOTHING
        wanted = _wanted(service, snapshot)
        slices = [
            obj
            for obj in snapshot.matching(
                kinds.ENDPOINT_SLICE, key.namespace, {SERVICE_NAME: key.name, MANAGED_BY: MANAGER}
            )
            if not is_deleting(obj)
        ]
        return Decision(tuple(_reconcile(service, wanted, slices)))


def _services_of(pod: Object, snapshot: Snapshot) -> Iterator[Key]:
    for service in snapshot.selecting(kinds.SERVICE, namespace_of(pod), labels_of(pod)):
        yield Key.of(service)


def _service_of(obj: Object, _: Snapshot) -> Iterator[Key]:
    name = labels_of(obj).get(SERVICE_NAME)
    if name and labels_of(obj).get(MANAGED_BY) == MANAGER:
        yield Key("", "Service", namespace_of(obj), name)


def _wanted(service: Object, snapshot: Snapshot) -> dict[Ports, dict[str, dict[str, Any]]]:
    """Return the endpoints by the ports they resolve to (S11), and in that by the Pod's uid."""
    spec = service["spec"]
    wanted: dict[Ports, dict[str, dict[str, Any]]] = {}
    for pod in snapshot.matching(kinds.POD, namespace_of(service), spec["selector"]):
        if is_finished(pod) or not (pod.get("status") or {}).get("podIP"):
            continue
        ports = _ports(spec, pod)
        if spec.get("ports") and not ports:
            continue
        wanted.setdefault(ports, {})[uid_of(pod)] = _endpoint(service, pod)
    return wanted or {(): {}}


def _ports(spec: Object, pod: Object) -> Ports:
    result = []
    for port in spec.get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = target_port(port, protocol, pod)
        if number:
            app = str(port.get("appProtocol") or "")
            result.append((str(port.get("name") or ""), protocol, number, app))
    return tuple(result)


def target_port(port: Object, protocol: str, pod: Object) -> int:
    """Return the number a Service port leads to in this Pod; 0 where the Pod has no port of the name."""
    target = port.get("targetPort")
    if target is None or target == "":
        return int(port["port"])
    if not isinstance(target, str):
        return int(target) or int(port["port"])
    sidecars = [
        c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"
    ]
    for container in (*(pod["spec"].get("containers") or ()), *sidecars):
        for found in container.get("ports") or ():
            if found.get("name") == target and (found.get("protocol") or "TCP") == protocol:
                return int(found["containerPort"])
    return 0


def _endpoint(service: Object, pod: Object) -> dict[str, Any]:
    """Describe a Pod's endpoint (S09, D08)."""
    spec, status = pod["spec"], pod["status"]
    serving, terminating = is_ready(pod), is_deleting(pod)
    anyway = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: dict[str, Any] = {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": (serving and not terminating) or anyway,
            "serving": serving,
            "terminating": terminating,
        },
    }
    if spec.get("hostname") and spec.get("subdomain") == name_of(service):
        endpoint["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    endpoint["targetRef"] = {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
    }
    return endpoint


def _reconcile(
    service: Object, wanted: dict[Ports, dict[str, dict[str, Any]]], slices: list[Object]
) -> Iterator[Action]:
    by_ports: dict[Ports, list[Object]] = {}
    for obj in slices:
        by_ports.setdefault(_ports_of(obj), []).append(obj)
    if wanted == {(): {}} and slices:
        # Keep one slice without endpoints rather than replacing it (S08).
        wanted = {_ports_of(slices[0]): {}}
    for ports, endpoints in wanted.items():
        yield from _fill(service, ports, endpoints, by_ports.pop(ports, []))
    for rest in by_ports.values():
        for obj in rest:
            yield _delete(obj)


def _fill(
    service: Object, ports: Ports, endpoints: dict[str, dict[str, Any]], slices: list[Object]
) -> Iterator[Action]:
    """Place endpoints: where they are; then into slices that change anyway; then the fullest; then new (S13)."""
    left = dict(endpoints)
    kept: list[tuple[Object, list[dict[str, Any]]]] = []
    for obj in slices:
        stay = []
        for old in obj.get("endpoints") or ():
            found = left.pop(str((old.get("targetRef") or {}).get("uid") or ""), None)
            if found is not None:
                stay.append(found)
        kept.append((obj, stay))
    rest = list(left.values())
    kept.sort(key=lambda e: (e[1] == (e[0].get("endpoints") or []), -len(e[1]), name_of(e[0])))
    for _, stay in kept:
        room = MAX_ENDPOINTS - len(stay)
        stay.extend(rest[:room])
        rest = rest[room:]
    spare = bool(rest) or any(stay for _, stay in kept)
    for obj, stay in kept:
        if not stay and spare:
            yield _delete(obj)
            continue
        spare = True
        labels = _labels(service)
        if stay != (obj.get("endpoints") or []) or labels != labels_of(obj):
            metadata = {**obj["metadata"], "labels": labels}
            yield Update({**obj, "metadata": metadata, "endpoints": stay})
    if not kept and not rest:
        yield Create(_slice(service, ports, []))
    for start in range(0, len(rest), MAX_ENDPOINTS):
        yield Create(_slice(service, ports, rest[start : start + MAX_ENDPOINTS]))


def _delete(obj: Object) -> Delete:
    return Delete(kinds.ENDPOINT_SLICE, namespace_of(obj), name_of(obj), uid=uid_of(obj))


def _labels(service: Object) -> dict[str, str]:
    labels = {**labels_of(service), SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER}
    if service["spec"].get("clusterIP") == "None":
        labels[_HEADLESS] = ""
    return labels


def _ports_of(obj: Object) -> Ports:
    return tuple(
        (
            str(p.get("name") or ""),
            str(p.get("protocol") or "TCP"),
            int(p.get("port") or 0),
            str(p.get("appProtocol") or ""),
        )
        for p in obj.get("ports") or ()
    )


def _slice(service: Object, ports: Ports, endpoints: list[dict[str, Any]]) -> Object:
    listed = []
    for name, protocol, number, app in ports:
        port: dict[str, Any] = {"name": name, "port": number, "protocol": protocol}
        if app:
            port["appProtocol"] = app
        listed.append(port)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": name_of(service) + "-",
            "namespace": namespace_of(service),
            "labels": _labels(service),
            "ownerReferences": [controller_ref(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": listed,
    }
