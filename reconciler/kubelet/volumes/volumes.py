"""A Pod's volumes: made before its containers, kept current, gone with the Pod."""

from __future__ import annotations

import contextlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import kinds, quantities
from reconciler.api.objects import name_of
from reconciler.errors import RuntimeFailure
from reconciler.kubelet.volumes import ownership, removal
from reconciler.kubelet.volumes.atomic import write_atomically
from reconciler.kubelet.volumes.beneath import LeadsOut, read_beneath
from reconciler.kubelet.volumes.host_path import host_path
from reconciler.kubelet.volumes.sources import API_SOURCES, FileEntry, entries_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.api.decision import Snapshot
    from reconciler.api.objects import Object
    from reconciler.kubelet import fields

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
LOCAL_PATH = "reconciler.dev/local-path"
#: A file of variables may be so large, in bytes.
MOST_OF_FILE = 1 << 20


class InMemory(NamedTuple):
    """The file systems in memory that a sandbox has for its volumes: the directory of each, by the volume's name."""

    sandbox_id: str
    directories: Mapping[str, Path]


class MountedVolume(NamedTuple):
    """Where a volume lies for the runtime, and whether no container may write it."""

    path: Path
    readonly: bool = False


def in_memory(pod: Object) -> dict[str, int]:
    """Return the volumes that shall lie in memory and the bytes that each may hold (0 = no limit).

    Those are ``emptyDir`` of ``medium: Memory``, and what holds secrets: their plaintext is never on a disk (C08).
    """
    found = {}
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("emptyDir") or {}
        if source.get("medium") == "Memory":
            found[volume["name"]] = quantities.size_bytes(source.get("sizeLimit") or 0)
        elif "secret" in volume or "projected" in volume:
            found[volume["name"]] = 0
    return found


class Volumes:
    """The volumes of this node's Pods, under the state directory."""

    def __init__(self, state_dir: Path, snapshot: Snapshot) -> None:
        self._state_dir = state_dir
        self._snapshot = snapshot
        self._written: dict[tuple[str, str], tuple[str, dict[str, FileEntry]]] = {}
        self._given: set[tuple[str, str]] = set()

    def pod_directory(self, uid: str) -> Path:
        return self._state_dir / "pods" / uid

    def directory(self, uid: str, name: str) -> Path:
        """Return where a volume of a Pod lies, or is mounted for its containers. Raises ``RuntimeFailure``."""
        if "/" in name or name in ("", ".", ".."):
            raise RuntimeFailure(f"{name!r} is no name of a volume", reason="FailedMount")
        return self.pod_directory(uid) / "volumes" / name

    def make_directory(self, uid: str, name: str) -> Path:
        """Return the same, made where it is missing; workloads of any user may enter it."""
        path = self.directory(uid, name)
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(0o755)
        return path

    def set_up(
        self, pod: Object, values: fields.PodValues, memory: InMemory | None
    ) -> dict[str, MountedVolume]:
        """Make every volume and return where each lies. Raises ``RuntimeFailure`` (FailedMount).

        ``memory``: None while there is no sandbox yet: what shall lie in memory is then looked at, and not written.
        """
        volumes = {}
        for volume in pod["spec"].get("volumes") or ():
            try:
                volumes[volume["name"]] = self._set_up_one(pod, volume, values, memory)
            except OSError as error:
                raise RuntimeFailure(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}": {error}',
                    reason="FailedMount",
                ) from error
        return volumes

    def _set_up_one(
        self,
        pod: Object,
        volume: dict[str, Any],
        values: fields.PodValues,
        memory: InMemory | None,
    ) -> MountedVolume:
        if "hostPath" in volume:
            return MountedVolume(host_path(volume["hostPath"]))
        if "persistentVolumeClaim" in volume:
            return self._claim(pod, volume["persistentVolumeClaim"])
        uid, name = pod["metadata"]["uid"], volume["name"]
        fresh = not self.directory(uid, name).is_dir()
        path = self.make_directory(uid, name)
        if any(source in volume for source in API_SOURCES):
            self._write(pod, volume, values, memory)
            return MountedVolume(path, readonly=True)
        if any(k != "name" for k in volume) and "emptyDir" not in volume:
            kind = next(k for k in volume if k != "name")
            raise RuntimeFailure(
                f'volume "{volume["name"]}": {kind} volumes are not available here',
                reason="FailedMount",
            )
        self._empty(pod, volume, path, memory, fresh=fresh)
        return MountedVolume(path)

    def _empty(
        self,
        pod: Object,
        volume: dict[str, Any],
        path: Path,
        memory: InMemory | None,
        *,
        fresh: bool,
    ) -> None:
        """Let a new emptyDir be everybody's, or its group's (P35)."""
        medium = (volume.get("emptyDir") or {}).get("medium") or ""
        if medium not in ("", "Memory"):
            raise RuntimeFailure(
                f'volume "{volume["name"]}": emptyDir medium {medium} is not available here',
                reason="FailedMount",
            )
        key = (pod["metadata"]["uid"], volume["name"])
        if medium and memory is None:
            return
        if medium and memory is not None and volume["name"] in memory.directories:
            where = memory.directories[volume["name"]]
            fresh = key not in self._given and not any(where.iterdir())
            path = where
        if fresh:
            path.chmod(0o777)
            group = _group(pod)
            if group is not None:
                ownership.give_tree(path, group)
            self._given.add(key)

    def read_file(self, pod: Object, name: str, path: str, memory: InMemory) -> str | None:
        """Return the text of a file of an emptyDir; None where there is none.

        Raises ``RuntimeFailure`` (CreateContainerConfigError) for another volume and for what is not the volume's own.
        """
        found = next((v for v in pod["spec"].get("volumes") or () if v["name"] == name), None)
        if found is None or "emptyDir" not in found:
            why = "is not an emptyDir" if found else "is not in the Pod"
            raise RuntimeFailure(
                f'volume "{name}" {why}: no environment is taken from it',
                reason="CreateContainerConfigError",
            )
        root = memory.directories.get(name) or self.directory(pod["metadata"]["uid"], name)
        try:
            return read_beneath(root, path, MOST_OF_FILE).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except LeadsOut as error:
            raise _unreadable(name, path, "it leads out of its volume") from error
        except (OSError, ValueError) as error:
            raise _unreadable(name, path, getattr(error, "strerror", None) or str(error)) from error

    def refresh(self, pod: Object, values: fields.PodValues, memory: InMemory | None) -> None:
        """Write again what has changed in the API since. Raises ``RuntimeFailure``."""
        for volume in pod["spec"].get("volumes") or ():
            if any(source in volume for source in API_SOURCES):
                self._write(pod, volume, values, memory)

    def _write(
        self,
        pod: Object,
        volume: dict[str, Any],
        values: fields.PodValues,
        memory: InMemory | None,
    ) -> None:
        entries = entries_of(pod, volume, self._snapshot, values)
        key = (pod["metadata"]["uid"], volume["name"])
        path, place = self.directory(*key), ""
        if volume["name"] in in_memory(pod):
            if memory is None:
                return
            if volume["name"] in memory.directories:
                path, place = memory.directories[volume["name"]], memory.sandbox_id
        if self._written.get(key) != (place, entries):
            write_atomically(path, entries, _group(pod))
            self._written[key] = (place, entries)

    def unowned(self, pod: Object, volumes: Mapping[str, MountedVolume]) -> dict[str, Path]:
        """Return the claims, by volume, that were not given to the Pod's fsGroup yet; giving may take long.

        A hostPath is nobody's to give (as in Kubernetes).
        """
        uid = pod["metadata"]["uid"]
        group = _group(pod)
        if group is None:
            return {}
        policy = (pod["spec"].get("securityContext") or {}).get("fsGroupChangePolicy")
        found = {}
        for volume in pod["spec"].get("volumes") or ():
            name = volume["name"]
            if (uid, name) in self._given or name not in volumes or not self._is_local(pod, volume):
                continue
            path = volumes[name].path
            if policy == "OnRootMismatch" and ownership.is_given(path, group):
                continue
            if not volumes[name].readonly:
                found[name] = path
        return found

    def given(self, pod: Object, names: Iterable[str]) -> None:
        """Remember that these volumes belong to the Pod's fsGroup now."""
        self._given |= {(pod["metadata"]["uid"], name) for name in names}

    def _is_local(self, pod: Object, volume: dict[str, Any]) -> bool:
        claim = volume.get("persistentVolumeClaim")
        return claim is not None and "local" in self._bound(pod, claim["claimName"])[1]["spec"]

    def _claim(self, pod: Object, source: dict[str, Any]) -> MountedVolume:
        claim, volume = self._bound(pod, source["claimName"])
        modes = claim["spec"].get("accessModes") or []
        # As storage drivers publish it: who claimed only to read cannot write.
        readonly = bool(source.get("readOnly")) or modes == ["ReadOnlyMany"]
        return MountedVolume(self.volume_path(volume), readonly)

    def _bound(self, pod: Object, name: str) -> tuple[Object, Object]:
        """Return a claim and its PersistentVolume."""
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
        return claim, volume

    def volume_path(self, volume: Object) -> Path:
        """Return (and make) the directory of a PersistentVolume."""
        spec = volume["spec"]
        if _is_provisioned(volume):
            path = self._provisioned_path(volume)
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
        """Remove the data of a volume that was provisioned here, unless another has the same.

        Whoever may write PersistentVolumes may name any path in one: nothing but what a claim was given here is removed.
        """
        if not _is_provisioned(volume):
            return
        try:
            path = self._provisioned_path(volume)
        except RuntimeFailure:
            return
        for other in self._snapshot.list(kinds.PERSISTENT_VOLUME):
            same = _is_provisioned(other) and name_of(other) != name_of(volume)
            if same and self._root / _relative(other) == path:
                return
        removal.remove_tree(path)
        with contextlib.suppress(OSError):
            path.parent.rmdir()

    @property
    def _root(self) -> Path:
        return (self._state_dir / "volumes").resolve()

    def _provisioned_path(self, volume: Object) -> Path:
        """Return where a claim's data lies: two directories below the root, whatever links are there."""
        inside = _relative(volume)
        path = self._root / inside
        if len(inside.parts) != 2 or ".." in inside.parts or path.resolve() != path:
            raise RuntimeFailure(
                f"the path of {name_of(volume)} leads out of {self._root}", reason="FailedMount"
            )
        return path

    def tear_down(self, uid: str) -> None:
        """Remove everything of a Pod that is gone."""
        removal.remove_tree(self.pod_directory(uid))
        for key in [k for k in self._written if k[0] == uid]:
            del self._written[key]
        self._given = {key for key in self._given if key[0] != uid}


def _is_provisioned(volume: Object) -> bool:
    annotations = volume["metadata"].get("annotations") or {}
    return annotations.get(PROVISIONED_BY) == LOCAL_PATH and "local" in volume["spec"]


def _relative(volume: Object) -> PurePosixPath:
    """Return the path of a provisioned volume as it was written, below the root of all of them."""
    return PurePosixPath(str(volume["spec"]["local"]["path"]).lstrip("/"))


def _group(pod: Object) -> int | None:
    """Return the fsGroup of a Pod, where this process can give files to it."""
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return group if ownership.can_give() else None


def _unreadable(volume: str, path: str, why: str) -> RuntimeFailure:
    return RuntimeFailure(
        f"file {path} of volume {volume} cannot be read: {why}", reason="CreateContainerConfigError"
    )
