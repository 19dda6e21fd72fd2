"""A Pod's volumes on disk: made before its containers, kept current, gone with the Pod (V01-V30).

What comes from the API (configMap, secret, projected, downwardAPI) is written as Kubernetes' atomic writer does it:
a new directory beside the old one, then one rename of the link ``..data``. A reader sees all of the old or all of the new.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds
from reconciler.errors import RuntimeFailure
from reconciler.kubelet import fields
from reconciler.kubelet.environment import data_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
LOCAL_PATH = "reconciler.dev/local-path"

_DATA = "..data"
_API_SOURCES = ("configMap", "secret", "projected", "downwardAPI")


class FileEntry(NamedTuple):
    """One file of a volume that comes from the API."""

    data: bytes
    mode: int


class Volumes:
    """The volumes of this node's Pods, under the state directory."""

    def __init__(self, state_dir: Path, snapshot: Snapshot) -> None:
        self._state_dir = state_dir
        self._snapshot = snapshot
        self._written: dict[tuple[str, str], dict[str, FileEntry]] = {}

    def pod_directory(self, uid: str) -> Path:
        return self._state_dir / "pods" / uid

    def set_up(self, pod: Object, values: fields.PodValues) -> dict[str, Path]:
        """Make every volume and return where each lies. Raises ``RuntimeFailure`` (FailedMount)."""
        base = self.pod_directory(pod["metadata"]["uid"]) / "volumes"
        paths = {}
        for volume in pod["spec"].get("volumes") or ():
            try:
                paths[volume["name"]] = self._set_up_one(pod, volume, base, values)
            except OSError as error:
                raise RuntimeFailure(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}": {error}',
                    reason="FailedMount",
                ) from error
        return paths

    def _set_up_one(
        self, pod: Object, volume: dict[str, Any], base: Path, values: fields.PodValues
    ) -> Path:
        path = base / str(volume["name"])
        if "hostPath" in volume:
            return host_path(volume["hostPath"])
        if "persistentVolumeClaim" in volume:
            return self._claim(pod, volume["persistentVolumeClaim"]["claimName"])
        _make(path)
        if any(source in volume for source in _API_SOURCES):
            self._write(pod, volume, path, values)
        elif not any(k != "name" for k in volume) or "emptyDir" in volume:
            path.chmod(0o777)
        else:
            kind = next(k for k in volume if k != "name")
            raise RuntimeFailure(
                f'volume "{volume["name"]}": {kind} volumes are not available here',
                reason="FailedMount",
            )
        return path

    def refresh(self, pod: Object, values: fields.PodValues) -> None:
        """Write again what has changed in the API since. Raises ``RuntimeFailure``."""
        base = self.pod_directory(pod["metadata"]["uid"]) / "volumes"
        for volume in pod["spec"].get("volumes") or ():
            if any(source in volume for source in _API_SOURCES):
                self._write(pod, volume, base / volume["name"], values)

    def _write(
        self, pod: Object, volume: dict[str, Any], path: Path, values: fields.PodValues
    ) -> None:
        entries = entries_of(pod, volume, self._snapshot, values)
        key = (pod["metadata"]["uid"], volume["name"])
        if self._written.get(key) != entries:
            write_atomically(path, entries)
            self._written[key] = entries

    def _claim(self, pod: Object, name: str) -> Path:
        namespace = pod["metadata"]["namespace"]
        claim = self._snapshot.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace, name)
        if claim is None:
            raise RuntimeFailure(f'persistentvolumeclaim "{name}" not found', reason="FailedMount")
        bound = (claim.get("spec") or {}).get("volumeName")
        volume = self._snapshot.get(kinds.PERSISTENT_VOLUME, "", bound) if bound else None
        if volume is None or (claim.get("status") or {}).get("phase") != "Bound":
            raise RuntimeFailure(
                f'persistentvolumeclaim "{name}" is not bound yet', reason="FailedMount"
            )
        return self.volume_path(volume)

    def volume_path(self, volume: Object) -> Path:
        """Return (and make) the directory of a PersistentVolume."""
        spec = volume["spec"]
        provisioned = (volume["metadata"].get("annotations") or {}).get(PROVISIONED_BY)
        if provisioned == LOCAL_PATH:
            root = (self._state_dir / "volumes").resolve()
            path = Path(root, str(spec["local"]["path"]).lstrip("/"))
            if root not in path.resolve().parents:
                raise RuntimeFailure(
                    f"the path of {volume['metadata']['name']} leads out of {root}",
                    reason="FailedMount",
                )
            if not path.is_dir():
                path.mkdir(parents=True)
                path.chmod(0o777)
            return path
        if "hostPath" in spec:
            return host_path(spec["hostPath"])
        if "local" in spec:
            path = Path(spec["local"]["path"])
            if not path.exists():
                raise RuntimeFailure(f"path {path} does not exist", reason="FailedMount")
            return path
        raise RuntimeFailure(
            f"the volume {volume['metadata']['name']} is of a kind that is not available here",
            reason="FailedMount",
        )

    def delete_volume(self, volume: Object) -> None:
        """Remove the data of a volume that was provisioned here."""
        path = self.volume_path(volume)
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()

    def tear_down(self, uid: str) -> None:
        """Remove everything of a Pod that is gone."""
        shutil.rmtree(self.pod_directory(uid), ignore_errors=True)
        for key in [k for k in self._written if k[0] == uid]:
            del self._written[key]


def _make(path: Path) -> None:
    """Make a directory that workloads of any user may enter, below ones that only they who know it find."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)


def host_path(source: dict[str, Any]) -> Path:
    """Return a hostPath's path, made or checked as its ``type`` asks (V11). Raises ``RuntimeFailure``."""
    path = Path(source["path"])
    kind = source.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch(mode=0o644, exist_ok=True)
    checks = {
        "Directory": path.is_dir,
        "File": path.is_file,
        "Socket": path.is_socket,
        "CharDevice": path.is_char_device,
        "BlockDevice": path.is_block_device,
        "": path.exists,
    }
    check = checks.get(kind)
    if check is not None and not check():
        what = kind.lower() or "file or directory"
        raise RuntimeFailure(
            f"hostPath type check failed: {path} is not a {what}", reason="FailedMount"
        )
    return path


def entries_of(
    pod: Object, volume: dict[str, Any], snapshot: Snapshot, values: fields.PodValues
) -> dict[str, FileEntry]:
    """Return the files of a volume that comes from the API, by their relative path."""
    if "projected" in volume:
        source = volume["projected"]
        mode = int(source.get("defaultMode", 0o644))
        entries: dict[str, FileEntry] = {}
        for part in source.get("sources") or ():
            entries.update(_source_entries(pod, part, snapshot, values, mode))
        return entries
    kind = next(k for k in _API_SOURCES if k in volume)
    mode = int(volume[kind].get("defaultMode", 0o644))
    return _source_entries(pod, volume, snapshot, values, mode)


def _source_entries(
    pod: Object,
    source: dict[str, Any],
    snapshot: Snapshot,
    values: fields.PodValues,
    mode: int,
) -> dict[str, FileEntry]:
    namespace = pod["metadata"]["namespace"]
    if "downwardAPI" in source:
        return _downward(pod, source["downwardAPI"], values, mode)
    for field, kind, name_field in (
        ("configMap", kinds.CONFIG_MAP, "name"),
        ("secret", kinds.SECRET, "secretName"),
    ):
        if field in source:
            part = source[field]
            name = part.get(name_field) or part.get("name") or ""
            found = snapshot.get(kind, namespace, name)
            if found is None and not part.get("optional"):
                raise RuntimeFailure(f'{field.lower()} "{name}" not found', reason="FailedMount")
            data = data_of(found) if found is not None else {}
            return _items(data, part, mode, f"{field.lower()} {namespace}/{name}")
    kind_name = next(iter(source), "nothing")
    raise RuntimeFailure(
        f"projected {kind_name} sources are not available here", reason="FailedMount"
    )


def _items(
    data: Mapping[str, bytes], part: dict[str, Any], mode: int, what: str
) -> dict[str, FileEntry]:
    items = part.get("items")
    if not items:
        return {key: FileEntry(value, mode) for key, value in data.items()}
    entries = {}
    for item in items:
        if item["key"] in data:
            path = _inside(item["path"])
            entries[path] = FileEntry(data[item["key"]], int(item.get("mode", mode)))
        elif not part.get("optional"):
            raise RuntimeFailure(
                f"{what} references non-existent key: {item['key']}", reason="FailedMount"
            )
    return entries


def _downward(
    pod: Object, part: dict[str, Any], values: fields.PodValues, mode: int
) -> dict[str, FileEntry]:
    entries = {}
    for item in part.get("items") or ():
        if "fieldRef" in item:
            text = fields.field_ref(pod, item["fieldRef"]["fieldPath"], values)
        else:
            text = fields.resource_ref(pod, {}, item["resourceFieldRef"], values)
        entries[_inside(item["path"])] = FileEntry(text.encode(), int(item.get("mode", mode)))
    return entries


def _inside(path: str) -> str:
    """Refuse a path that leads out of its volume."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or path.startswith(".."):
        raise RuntimeFailure(f"the path {path!r} leads out of its volume", reason="FailedMount")
    return str(pure)


def write_atomically(target: Path, entries: Mapping[str, FileEntry]) -> None:
    """Let a directory hold exactly these files, all at once for whoever reads it.

    Files stay inodes of their own: nothing is written through a link that a workload may have put there.
    """
    target.mkdir(parents=True, exist_ok=True)
    number = 0
    while os.path.lexists(target / f"..{number}"):
        number += 1
    fresh = target / f"..{number}"
    fresh.mkdir(mode=0o755)
    for name, entry in entries.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(entry.data)
            os.fchmod(file.fileno(), entry.mode)
    data = target / _DATA
    old = data.readlink() if data.is_symlink() else None
    temporary = target / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(data)
    tops = {PurePosixPath(name).parts[0] for name in entries}
    for top in tops:
        link = target / top
        if not link.is_symlink():
            link.symlink_to(PurePosixPath(_DATA, top))
    for entry_path in target.iterdir():
        if (
            entry_path.is_symlink()
            and not entry_path.name.startswith("..")
            and (entry_path.name not in tops)
        ):
            entry_path.unlink()
    if old is not None and str(old) != fresh.name and "/" not in str(old):
        shutil.rmtree(target / old, ignore_errors=True)
