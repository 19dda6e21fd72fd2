"""Rules of a Pod's volumes: one source each, and what that source needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import names, quantities
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    duplicate,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: In the order in which a kube-apiserver looks at them: the second is the one it refuses.
_SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "flocker", "downwardAPI", "fc", "configMap",
    "azureFile", "vsphereVolume", "quobyte", "azureDisk", "storageos", "photonPersistentDisk", "portworxVolume",
    "scaleIO", "projected", "csi", "ephemeral", "image",
)  # fmt: skip
_PROJECTED = (
    "secret",
    "downwardAPI",
    "configMap",
    "serviceAccountToken",
    "clusterTrustBundle",
    "podCertificate",
)
_DOWNWARD = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels",
        "metadata.annotations",
    }
)


def volume(one: Part, path: Path, known: set[str]) -> Iterator[Problem]:
    """Yield what is wrong with a volume; its name is added to ``known``."""
    name = one.get("name") or ""
    if not name:
        yield required("volume-name", (*path, "name"))
    elif wrong := names.label_problem(name):
        yield invalid("volume-name", (*path, "name"), name, wrong)
    elif name in known:
        yield duplicate("volume-name", (*path, "name"), name)
    known.add(name)
    if len(one) <= 1:
        return
    found = [s for s in _SOURCES if one.get(s) is not None]
    for extra in found[1:]:
        yield forbidden("volume-source", (*path, extra), "may not specify more than 1 volume type")
    if found and (rule := _RULES.get(found[0])):
        yield from rule(one[found[0]], (*path, found[0]))


def _empty_dir(source: Part, path: Path) -> Iterator[Problem]:
    size = source.get("sizeLimit")
    if size is not None:
        try:
            negative = quantities.parse(size) < 0
        except ValueError:
            return
        if negative:
            told = "SizeLimit field must be a valid resource quantity"
            yield forbidden("volume-size", (*path, "sizeLimit"), told)


def host_path(source: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a path on the host."""
    where = source.get("path") or ""
    if not where:
        yield required("volume-path", (*path, "path"))
    elif ".." in where.split("/"):
        yield invalid("volume-path", (*path, "path"), where, "must not contain '..'")


def _mode(source: Part, path: Path, field: str) -> Iterator[Problem]:
    mode = source.get(field)
    if mode is not None and not 0 <= mode <= 0o777:
        told = "must be a number between 0 and 0777 (octal), both inclusive"
        hint = (
            "write an octal number with a leading 0: 0644"
            if str(mode).isdigit() and int(mode) > 0o777
            else ""
        )
        yield invalid("volume-mode", (*path, field), mode, told, hint=hint)


def _items(source: Part, path: Path) -> Iterator[Problem]:
    for here, item in each(source, "items", path):
        if not item.get("key"):
            yield required("volume-items", (*here, "key"))
        yield from _mode(item, here, "mode")
        yield from relative(item.get("path") or "", (*here, "path"))


def relative(text: str, path: Path, rule: str = "volume-items") -> Iterator[Problem]:
    """Yield what is wrong with the path of a file in a volume."""
    if not text:
        yield required(rule, path)
    elif text.startswith("/"):
        yield invalid(rule, path, text, "must be a relative path")
    elif ".." in text.split("/"):
        yield invalid(rule, path, text, "must not contain '..'")
    elif text.startswith(".."):
        yield invalid(rule, path, text, "must not start with '..'")


def _secret(source: Part, path: Path) -> Iterator[Problem]:
    if not source.get("secretName"):
        yield required("volume-source", (*path, "secretName"))
    yield from _mode(source, path, "defaultMode")
    yield from _items(source, path)


def _config_map(source: Part, path: Path) -> Iterator[Problem]:
    if not source.get("name"):
        yield required("volume-source", (*path, "name"))
    yield from _mode(source, path, "defaultMode")
    yield from _items(source, path)


def _downward(source: Part, path: Path) -> Iterator[Problem]:
    yield from _mode(source, path, "defaultMode")
    for here, item in each(source, "items", path):
        yield from relative(item.get("path") or "", (*here, "path"))
        yield from _mode(item, here, "mode")
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is None and resource is None:
            yield required("downward-api", here, "one of fieldRef and resourceFieldRef is required")
        elif field is not None and resource is not None:
            told = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield invalid("downward-api", (*here, "resource"), "resource", told)
        elif field is not None:
            yield from _downward_field(field, (*here, "fieldRef"))
        elif resource is not None and not resource.get("containerName"):
            yield required("downward-api", (*here, "resourceFieldRef", "containerName"))


def _downward_field(field: Part, path: Path) -> Iterator[Problem]:
    where = field.get("fieldPath") or ""
    if not where:
        yield required("downward-api", (*path, "fieldPath"))
    elif where not in _DOWNWARD and where.partition("[")[0] not in (
        "metadata.labels",
        "metadata.annotations",
    ):
        yield unsupported("downward-api", (*path, "fieldPath"), where, _DOWNWARD)


def _projected(source: Part, path: Path) -> Iterator[Problem]:
    yield from _mode(source, path, "defaultMode")
    for here, part in each(source, "sources", path):
        found = [k for k in _PROJECTED if part.get(k) is not None]
        if not found:
            yield required("volume-source", here)
        for extra in found[1:]:
            yield forbidden(
                "volume-source",
                (*here, extra),
                "may not specify more than 1 volume type per source",
            )
        for name in ("secret", "configMap"):
            if name in found:
                if not part[name].get("name"):
                    yield required("volume-source", (*here, name, "name"))
                yield from _items(part[name], (*here, name))
        if "downwardAPI" in found:
            yield from _downward(part["downwardAPI"], (*here, "downwardAPI"))
        if "serviceAccountToken" in found:
            yield from _token(part["serviceAccountToken"], (*here, "serviceAccountToken"))


def _token(token: Part, path: Path) -> Iterator[Problem]:
    seconds = token.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        told = "may not specify a duration less than 10 minutes"
        yield invalid("token-lifetime", (*path, "expirationSeconds"), seconds, told)
    elif seconds is not None and seconds > 2**32:
        told = "may not specify a duration larger than 2^32 seconds"
        yield invalid("token-lifetime", (*path, "expirationSeconds"), seconds, told)
    if not token.get("path"):
        yield required("volume-items", (*path, "path"))
    else:
        yield from relative(token["path"], (*path, "path"))


def _claim(source: Part, path: Path) -> Iterator[Problem]:
    if not source.get("claimName"):
        yield required("volume-source", (*path, "claimName"))


def nfs(source: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with an NFS share."""
    if not source.get("server"):
        yield required("volume-source", (*path, "server"))
    where = source.get("path") or ""
    if not where:
        yield required("volume-source", (*path, "path"))
    elif not where.startswith("/"):
        yield invalid("volume-source", (*path, "path"), where, "must be an absolute path")


def _csi(source: Part, path: Path) -> Iterator[Problem]:
    yield from driver(source.get("driver") or "", (*path, "driver"))


def driver(name: str, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the name of a CSI driver."""
    if not name:
        yield required("volume-source", path)
    elif len(name) > 63:
        yield Problem(
            path,
            "FieldValueTooLong",
            "Too long: may not be more than 63 bytes",
            "rule/volume-source",
        )
    elif wrong := names.subdomain_problem(name.lower()):
        yield invalid("volume-source", path, name, wrong)


def _ephemeral(source: Part, path: Path) -> Iterator[Problem]:
    from reconciler.api.rules.storage import claim_spec

    template = source.get("volumeClaimTemplate")
    if template is None:
        yield required("volume-source", (*path, "volumeClaimTemplate"))
    else:
        yield from claim_spec(template.get("spec") or {}, (*path, "volumeClaimTemplate", "spec"))


def _iscsi(source: Part, path: Path) -> Iterator[Problem]:
    if not source.get("targetPortal"):
        yield required("volume-source", (*path, "targetPortal"))
    if not source.get("iqn"):
        yield required("volume-source", (*path, "iqn"))
    yield from not_negative("volume-source", source, path, "lun")


_RULES: dict[str, Callable[[Any, Path], Iterator[Problem]]] = {
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
    "persistentVolumeClaim": _claim,
    "nfs": nfs,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "iscsi": _iscsi,
}
