"""A container's volumeMounts as the runtime is told them. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from reconciler.errors import RuntimeFailure
from reconciler.kubelet.environment import expand
from reconciler.runtime.cri import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kubelet.volumes.volumes import MountedVolume


def mounts_of(
    container: dict[str, Any], env: Mapping[str, str], volumes: Mapping[str, MountedVolume]
) -> tuple[Mount, ...]:
    """Return a container's mounts. Raises ``RuntimeFailure`` (CreateContainerConfigError) for one that may not be."""
    privileged = bool((container.get("securityContext") or {}).get("privileged"))
    return tuple(
        _mount(m, env, volumes, privileged=privileged) for m in container.get("volumeMounts") or ()
    )


def _mount(
    mount: dict[str, Any],
    env: Mapping[str, str],
    volumes: Mapping[str, MountedVolume],
    *,
    privileged: bool,
) -> Mount:
    volume = volumes.get(mount["name"])
    if volume is None:
        raise _refusal(f'volume "{mount["name"]}" is not in the Pod')
    propagation = mount.get("mountPropagation") or "None"
    if propagation == "Bidirectional" and not privileged:
        raise _refusal("Bidirectional mount propagation is available only to privileged containers")
    return Mount(
        mount["mountPath"],
        str(volume.path),
        readonly=volume.readonly or bool(mount.get("readOnly")),
        sub_path=_sub_path(mount, env),
        recursive_readonly=mount.get("recursiveReadOnly") in ("IfPossible", "Enabled"),
        propagation="" if propagation == "None" else propagation,
    )


def _sub_path(mount: dict[str, Any], env: Mapping[str, str]) -> str:
    """Return the path within the volume; whether links lead out of it only the runtime can tell, as it mounts it."""
    path = str(mount.get("subPath") or "")
    if mount.get("subPathExpr"):
        path = expand(mount["subPathExpr"], env)
        if "$(" in path:
            raise _refusal(f"subPathExpr {mount['subPathExpr']!r} names a variable that is not set")
    if path.startswith("/"):
        raise _refusal(f"error SubPath `{path}` must not be an absolute path")
    if ".." in PurePosixPath(path).parts:
        raise _refusal(f"unable to provision SubPath `{path}`: must not contain '..'")
    return path


def _refusal(message: str) -> RuntimeFailure:
    return RuntimeFailure(message, reason="CreateContainerConfigError")
