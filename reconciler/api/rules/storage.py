"""Rules of claims, volumes and their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api import names, quantities
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    each,
    forbidden,
    invalid,
    nearest,
    required,
    unsupported,
)
from reconciler.api.rules.scheduling import node_selector
from reconciler.api.rules.selection import label_selector
from reconciler.api.rules.volumes import driver, host_path, nfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

#: In the order in which a kube-apiserver looks at them.
_SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte",
    "cephfs", "iscsi", "cinder", "fc", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_SHORT = {
    "RWO": "ReadWriteOnce",
    "ROX": "ReadOnlyMany",
    "RWX": "ReadWriteMany",
    "RWOP": "ReadWriteOncePod",
}


def claim(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a PersistentVolumeClaim."""
    yield from claim_spec(below(obj, "spec"), ("spec",))


def claim_spec(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the spec of a claim, or of a template of claims."""
    if not spec.get("accessModes"):
        yield required("access-modes", (*path, "accessModes"), "at least 1 access mode is required")
    yield from _access_modes(spec, path)
    yield from label_selector(spec.get("selector"), (*path, "selector"))
    requests = below(below(spec, "resources"), "requests")
    where: Path = (*path, "resources", "requests", "storage")
    named = f"{Problem((*path, 'resources'), '', '').field}[storage]"
    if requests.get("storage") is None:
        yield required("storage-size", where if requests else where[:-2], named=named)
    else:
        yield from _size(requests["storage"], where, named)
    name = spec.get("storageClassName")
    if name and (wrong := names.subdomain_problem(name)):
        yield invalid("storage-class-name", (*path, "storageClassName"), name, wrong)
    for field in ("dataSource", "dataSourceRef"):
        source = spec.get(field)
        if source is not None:
            for part in ("kind", "name"):
                if not source.get(part):
                    yield required("data-source", (*path, field, part))


def _access_modes(spec: Part, path: Path) -> Iterator[Problem]:
    modes = spec.get("accessModes") or ()
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        told = "may not use ReadWriteOncePod with other access modes"
        yield forbidden("access-modes", (*path, "accessModes"), told)
    for mode in modes:
        if mode not in _SHORT.values():
            found = unsupported("access-modes", (*path, "accessModes"), mode, _SHORT.values())
            hint = f'did you mean "{_SHORT[mode]}"?' if mode in _SHORT else found.hint
            yield found._replace(hint=hint)


def _size(size: object, path: Path, named: str = "") -> Iterator[Problem]:
    try:
        amount = quantities.parse(size if isinstance(size, str | int | float) else "")
    except ValueError as error:
        yield invalid("storage-size", path, size, str(error), named=named)
        return
    if amount <= 0:
        yield invalid("storage-size", path, str(size), "must be greater than zero", named=named)


def volume(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a PersistentVolume."""
    spec = below(obj, "spec")
    if not spec.get("accessModes"):
        yield required("access-modes", ("spec", "accessModes"))
    yield from _access_modes(spec, ("spec",))
    capacity = spec.get("capacity")
    if not capacity:
        yield required("storage-size", ("spec", "capacity"))
    elif set(capacity) != {"storage"}:
        yield unsupported("storage-size", ("spec", "capacity"), capacity, ["storage"])
    if capacity and capacity.get("storage") is not None:
        yield from _size(capacity["storage"], ("spec", "capacity", "storage"))
    yield from _source(spec)
    name = spec.get("storageClassName")
    if name and (wrong := names.subdomain_problem(name)):
        yield invalid("storage-class-name", ("spec", "storageClassName"), name, wrong)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            told = "must specify required node constraints"
            yield required("volume-affinity", ("spec", "nodeAffinity", "required"), told)
        else:
            yield from node_selector(affinity["required"], ("spec", "nodeAffinity", "required"))


def _source(spec: Part) -> Iterator[Problem]:
    found = [s for s in _SOURCES if spec.get(s) is not None]
    if not found:
        yield required("volume-source", ("spec",), "must specify a volume type")
        return
    for extra in found[1:]:
        yield forbidden("volume-source", ("spec", extra), "may not specify more than 1 volume type")
    source, path = spec[found[0]], ("spec", found[0])
    match found[0]:
        case "hostPath":
            yield from host_path(source, path)
            if source.get("path") == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
                told = "may not be 'recycle' for a hostPath mount of '/'"
                yield forbidden("reclaim-policy", ("spec", "persistentVolumeReclaimPolicy"), told)
        case "local":
            yield from host_path(source, path)
            if spec.get("nodeAffinity") is None:
                yield required(
                    "volume-affinity",
                    ("spec", "nodeAffinity"),
                    "Local volume requires node affinity",
                )
        case "nfs":
            yield from nfs(source, path)
        case "csi":
            yield from driver(source.get("driver") or "", (*path, "driver"))
            if not source.get("volumeHandle"):
                yield required("volume-source", (*path, "volumeHandle"))


def storage_class(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a StorageClass."""
    name = obj.get("provisioner") or ""
    if not name:
        yield required("provisioner", ("provisioner",))
    elif wrong := names.qualified_problem(name.lower()):
        yield invalid("provisioner", ("provisioner",), name, wrong)
    for key in obj.get("parameters") or {}:
        if not key:
            yield invalid("class-parameters", ("parameters",), key, "field can not be empty.")
    for here, term in each(obj, "allowedTopologies", ()):
        for at, one in each(term, "matchLabelExpressions", here):
            if not one.get("values"):
                yield required("class-parameters", (*at, "values"))
    policy = obj.get("reclaimPolicy")
    if policy and policy not in ("Delete", "Retain"):
        found = unsupported("reclaim-policy", ("reclaimPolicy",), policy, ["Delete", "Retain"])
        yield found._replace(hint=nearest(policy, ["Delete", "Retain"]))
