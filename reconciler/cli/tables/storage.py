"""Claims, volumes and classes as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.cli.tables.layout import Cells, Columns, spec_of, status_of

if TYPE_CHECKING:
    from reconciler.api.objects import Object


def _modes(modes: Any) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    return ",".join(short.get(m, m) for m in modes or ())


def _claim(obj: Object) -> Cells:
    spec, status = spec_of(obj), status_of(obj)
    return [
        status.get("phase", ""), spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", ""), _modes(status.get("accessModes")),
        spec.get("storageClassName") or "", spec.get("volumeAttributesClassName") or "<unset>",
    ]  # fmt: skip


def _volume(obj: Object) -> Cells:
    spec, ref = spec_of(obj), spec_of(obj).get("claimRef") or {}
    claim = f"{ref['namespace']}/{ref['name']}" if ref else ""
    return [
        (spec.get("capacity") or {}).get("storage", ""), _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""), status_of(obj).get("phase", ""), claim,
        spec.get("storageClassName") or "", spec.get("volumeAttributesClassName") or "<unset>",
        status_of(obj).get("reason", ""),
    ]  # fmt: skip


def _volume_mode(obj: Object) -> Cells:
    return [spec_of(obj).get("volumeMode") or "Filesystem"]


def _class(obj: Object) -> Cells:
    """Return a StorageClass's cells."""
    return [
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        str(bool(obj.get("allowVolumeExpansion"))).lower(),
    ]


COLUMNS: dict[tuple[str, str], Columns] = {
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
}  # fmt: skip
