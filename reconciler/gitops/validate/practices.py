"""Good practice, on request: what works, and will hurt one day. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.gitops.validate.pods import pod_spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document
    from reconciler.gitops.render.reader import Path

Part = dict[str, Any]

#: Kinds whose Pods serve; a Job's end, and nobody asks whether they are ready.
_SERVING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


def check_practices(document: Document, wants: Callable[[str], bool]) -> Iterator[Finding]:
    """Yield what the asked rules of good practice find; ``wants`` says of a rule's id whether it is asked."""
    obj = document.object
    kind = obj.get("kind")
    for rule, path, told in (*_of_object(obj, str(kind)), *_of_pods(obj, str(kind))):
        if wants(rule):
            yield document.finding(rule, "warning", told, path)


def _of_object(obj: Part, kind: str) -> Iterator[tuple[str, Path, str]]:
    if kind == "Secret" and obj.get("apiVersion") == "v1":
        for field in ("data", "stringData"):
            if obj.get(field):
                told = (
                    "values of a Secret lie in the source: keep them sealed, or make them elsewhere"
                )
                yield "practice/plain-secret", (field,), told
    spec = obj.get("spec") or {}
    if kind == "Deployment" and spec.get("replicas", 1) == 1:
        path: Path = ("spec", "replicas") if "replicas" in spec else ("spec",)
        yield "practice/single-replica", path, "one replica: a restart of its Pod is an outage"
    if kind == "Job" and spec.get("ttlSecondsAfterFinished") is None:
        told = "without ttlSecondsAfterFinished the finished Job stays for ever"
        yield "practice/job-time-to-live", ("spec",), told


def _of_pods(obj: Part, kind: str) -> Iterator[tuple[str, Path, str]]:
    found = pod_spec_of(obj)
    if found is None:
        return
    path, spec = found
    shared = spec.get("securityContext") or {}
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here: Path = (*path, field, index)
            yield from _of_container(container, here, shared)
            if field == "containers" and kind in _SERVING:
                yield from _probes(container, here)


def _of_container(container: Part, path: Path, shared: Part) -> Iterator[tuple[str, Path, str]]:
    name = container.get("name")
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    if "memory" not in limits:
        yield "practice/memory-limit", path, f"container {name} has no memory limit"
    if "cpu" not in requests and "cpu" not in limits:
        yield "practice/cpu-request", path, f"container {name} requests no cpu"
    image = str(container.get("image") or "")
    tag = image.rpartition("/")[2].partition(":")[2]
    if image and "@" not in image and tag in ("", "latest"):
        told = f"image {image} has no tag of its own: it is another image tomorrow"
        yield "practice/latest-tag", (*path, "image"), told
    own = container.get("securityContext") or {}
    user = own.get("runAsUser", shared.get("runAsUser"))
    never = own.get("runAsNonRoot", shared.get("runAsNonRoot"))
    if user == 0 or (not never and user is None):
        yield (
            "practice/run-as-root",
            path,
            f"container {name} may run as root: say runAsNonRoot: true",
        )
    if own.get("privileged"):
        where = (*path, "securityContext", "privileged")
        yield "practice/privileged", where, f"container {name} is root on its Node"


def _probes(container: Part, path: Path) -> Iterator[tuple[str, Path, str]]:
    for field, rule in (("readinessProbe", "readiness-probe"), ("livenessProbe", "liveness-probe")):
        if not container.get(field):
            yield f"practice/{rule}", path, f"container {container.get('name')} has no {field}"
