"""What an update may not change (D04, S04, P30): the rules of a kube-apiserver's update strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import quantities
from reconciler.api.rules.problem import Part, Path, Problem, below, forbidden, invalid, required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.api.objects import Object

_RULE = "immutable"
_WORDS = "field is immutable"

#: kind -> paths that an update may not change.
_FIXED: dict[tuple[str, str], tuple[Path, ...]] = {
    ("apps/v1", "Deployment"): (("spec", "selector"),),
    ("apps/v1", "ReplicaSet"): (("spec", "selector"),),
    ("apps/v1", "DaemonSet"): (("spec", "selector"),),
    ("storage.k8s.io/v1", "StorageClass"): (
        ("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",),
    ),
    ("v1", "Secret"): (("type",),),
    ("discovery.k8s.io/v1", "EndpointSlice"): (("addressType",),),
    ("node.k8s.io/v1", "RuntimeClass"): (("handler",),),
    ("scheduling.k8s.io/v1", "PriorityClass"): (("value",), ("preemptionPolicy",)),
}  # fmt: skip


def changes(before: Object, after: Object) -> Iterator[Problem]:
    """Yield every change between two states of one object, both with their defaults, that may not be made."""
    key = (str(after.get("apiVersion")), str(after.get("kind")))
    for path in _FIXED.get(key, ()):
        if _read(before, path) != _read(after, path):
            yield invalid(_RULE, path, _read(after, path), _WORDS)
    rule = _BY_KIND.get(key)
    if rule is not None:
        yield from rule(before, after)


def _read(obj: Object, path: Path) -> Any:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _sealed(before: Object, after: Object) -> Iterator[Problem]:
    if not before.get("immutable"):
        return
    told = "field is immutable when `immutable` is set"
    for field in ("immutable", "data", "binaryData"):
        if (before.get(field) or None) != (after.get(field) or None):
            yield forbidden(_RULE, (field,), told)


_STATEFUL_SET_MUTABLE = frozenset(
    {
        "replicas", "ordinals", "template", "updateStrategy", "minReadySeconds",
        "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit",
    }
)  # fmt: skip


def _stateful_set(before: Object, after: Object) -> Iterator[Problem]:
    old, new = below(before, "spec"), below(after, "spec")
    changed = sorted(
        k
        for k in old.keys() | new.keys()
        if k not in _STATEFUL_SET_MUTABLE and old.get(k) != new.get(k)
    )
    if changed:
        told = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        yield forbidden(_RULE, ("spec", changed[0]), told, named="spec")


#: What of a Job's template may change while the Job is suspended and has not begun (KEP-2926).
_SUSPENDED_MUTABLE = frozenset({"nodeSelector", "tolerations", "affinity", "schedulingGates"})


def _job(before: Object, after: Object) -> Iterator[Problem]:
    old, new = below(before, "spec"), below(after, "spec")
    elastic = new.get("completionMode") == "Indexed" and new.get("completions") == new.get(
        "parallelism"
    )
    if old.get("completions") != new.get("completions") and not elastic:
        yield invalid(_RULE, ("spec", "completions"), new.get("completions"), _WORDS)
    for field in (
        "selector",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
    ):
        if old.get(field) != new.get(field):
            yield invalid(_RULE, ("spec", field), new.get(field), _WORDS)
    was, now = below(old, "template"), below(new, "template")
    if was != now and old.get("suspend") and not below(before, "status").get("startTime"):
        was, now = _unscheduled(was), _unscheduled(now)
    if was != now:
        yield invalid(_RULE, ("spec", "template"), now, _WORDS)


def _unscheduled(template: Part) -> Part:
    spec = {k: v for k, v in below(template, "spec").items() if k not in _SUSPENDED_MUTABLE}
    return {"spec": spec}


_POD_MUTABLE = frozenset(
    {
        "nodeName",
        "activeDeadlineSeconds",
        "tolerations",
        "schedulingGates",
    }
)


def _pod(before: Object, after: Object) -> Iterator[Problem]:
    if before["spec"] is after["spec"]:
        return
    old, new = before["spec"], after["spec"]
    for field in ("containers", "initContainers"):
        if len(old.get(field) or ()) != len(new.get(field) or ()):
            yield forbidden(_RULE, ("spec", field), "pod updates may not add or remove containers")
            return
    kept = new.get("tolerations") or []
    lost = any(t not in kept for t in old.get("tolerations") or ())
    renamed = old.get("nodeName") and old.get("nodeName") != new.get("nodeName")
    if _pod_core(old) != _pod_core(new) or renamed or lost:
        told = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)"
        )
        yield forbidden(_RULE, ("spec",), told)
    yield from _pod_deadline(old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds"))


def _pod_deadline(old: Any, new: Any) -> Iterator[Problem]:
    """A Pod's deadline may be set, and come nearer (P19)."""
    path = ("spec", "activeDeadlineSeconds")
    if old is None:
        return
    if new is None:
        yield required(_RULE, path, "must not update from a positive integer to nil value")
    elif new > old:
        yield invalid(_RULE, path, new, "must be less than or equal to previous value")


def _pod_core(spec: Part) -> Part:
    core = {k: v for k, v in spec.items() if k not in _POD_MUTABLE}
    for field in ("containers", "initContainers"):
        if core.get(field):
            core[field] = [{k: v for k, v in c.items() if k != "image"} for c in core[field]]
    return core


def _claim(before: Object, after: Object) -> Iterator[Problem]:
    old, new = dict(below(before, "spec")), dict(below(after, "spec"))
    bound = below(before, "status").get("phase") == "Bound"
    was, now = _storage(old), _storage(new)
    if bound:
        for spec in (old, new):
            spec.pop("resources", None)
            spec.pop("volumeAttributesClassName", None)
    # A binder names the volume, and the default class is filled in, after creation.
    for field in ("volumeName", "storageClassName"):
        if not old.get(field):
            old.pop(field, None)
            new.pop(field, None)
    if old != new:
        changed = next(k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k))
        told = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield forbidden(_RULE, ("spec", changed), told, named="spec")
    elif bound and was is not None and now is not None and now < was:
        path = ("spec", "resources", "requests", "storage")
        yield forbidden(_RULE, path, "field can not be less than previous value")


def _storage(spec: Part) -> Any:
    size = below(below(spec, "resources"), "requests").get("storage")
    try:
        return quantities.parse(size) if size is not None else None
    except ValueError:
        return None


_VOLUME_FREE = frozenset(
    {
        "capacity", "accessModes", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions", "claimRef",
        "nodeAffinity", "volumeMode", "volumeAttributesClassName",
    }
)  # fmt: skip


def _volume(before: Object, after: Object) -> Iterator[Problem]:
    old, new = below(before, "spec"), below(after, "spec")
    changed = sorted(
        k for k in old.keys() | new.keys() if k not in _VOLUME_FREE and old.get(k) != new.get(k)
    )
    if changed:
        told = "spec.persistentvolumesource is immutable after creation"
        yield forbidden(_RULE, ("spec", changed[0]), told, named="spec.persistentvolumesource")
    if old.get("volumeMode") != new.get("volumeMode"):
        yield invalid(
            _RULE, ("spec", "volumeMode"), new.get("volumeMode"), _WORDS, named="volumeMode"
        )
    if old.get("nodeAffinity") and old["nodeAffinity"] != new.get("nodeAffinity"):
        told = "field is immutable, except for updating from beta label to GA"
        yield invalid(
            _RULE, ("spec", "nodeAffinity"), new.get("nodeAffinity"), told, named="nodeAffinity"
        )


def _service(before: Object, after: Object) -> Iterator[Problem]:
    old, new = below(before, "spec"), below(after, "spec")
    if "ExternalName" not in (old.get("type"), new.get("type")):
        address = new.get("clusterIP")
        if old.get("clusterIP") and address and address != old["clusterIP"]:
            shown = [address]
            told = "may not change once set"
            yield invalid(_RULE, ("spec", "clusterIP"), shown, told, named="spec.clusterIPs[0]")
    if old.get("type") == new.get("type") == "LoadBalancer":
        was, now = old.get("loadBalancerClass"), new.get("loadBalancerClass")
        if was != now:
            yield invalid(_RULE, ("spec", "loadBalancerClass"), now, "may not change once set")


def _binding(before: Object, after: Object) -> Iterator[Problem]:
    old, new = (
        {"apiGroup": "rbac.authorization.k8s.io"} | below(o, "roleRef") for o in (before, after)
    )
    if old != new:
        yield invalid(_RULE, ("roleRef",), new, "cannot change roleRef")


_BY_KIND: dict[tuple[str, str], Callable[[Object, Object], Iterator[Problem]]] = {
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _binding,
    ("v1", "ConfigMap"): _sealed,
    ("v1", "Secret"): _sealed,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("v1", "PersistentVolume"): _volume,
    ("v1", "PersistentVolumeClaim"): _claim,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("batch/v1", "Job"): _job,
}
