"""What the runtime is told of a Pod: its sandbox's and its containers' configuration. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api import quantities
from reconciler.kubelet import names, security
from reconciler.kubelet.environment import expand
from reconciler.kubelet.volumes import mounts_of
from reconciler.runtime.cri import (
    ContainerConfig,
    HostAlias,
    Resources,
    SandboxConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.kubelet.names import ClusterDNS
    from reconciler.kubelet.volumes import MountedVolume


def sandbox_config(
    pod: Object, attempt: int, dns: ClusterDNS, log_directory: Path
) -> SandboxConfig:
    """Return a sandbox's configuration (P42, P43). Raises ``RuntimeFailure`` for names that cannot be."""
    meta, spec = pod["metadata"], pod["spec"]
    return SandboxConfig(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        attempt=attempt,
        hostname=names.kernel_hostname(pod, dns.domain),
        domain=names.domain(pod, dns.domain),
        log_directory=str(log_directory),
        dns=names.dns_config(pod, dns),
        host_aliases=tuple(
            HostAlias(a["ip"], tuple(a.get("hostnames") or ()))
            for a in spec.get("hostAliases") or ()
        ),
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        own_users=spec.get("hostUsers") is False,
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
    )


def container_config(
    pod: Object,
    container: dict[str, Any],
    attempt: int,
    env: Mapping[str, str],
    volumes: Mapping[str, MountedVolume],
    default_user: int,
) -> ContainerConfig:
    """Return a container's configuration. Raises ``RuntimeFailure`` for a mount or a user that may not be."""
    return ContainerConfig(
        name=container["name"],
        image=container.get("image", ""),
        attempt=attempt,
        command=tuple(expand(c, env) for c in container.get("command") or ()),
        args=tuple(expand(a, env) for a in container.get("args") or ()),
        working_dir=container.get("workingDir", ""),
        env=env,
        mounts=mounts_of(container, env, volumes),
        log_path=f"{container['name']}/{attempt}.log",
        stdin=bool(container.get("stdin")),
        tty=bool(container.get("tty")),
        resources=_resources(container),
        security=security.of(pod, container, default_user),
        stop_signal=(container.get("lifecycle") or {}).get("stopSignal") or "",
        labels=pod["metadata"].get("labels") or {},
    )


def _resources(container: dict[str, Any]) -> Resources:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return Resources(
        cpu_limit=quantities.millicores(limits["cpu"]) if "cpu" in limits else 0,
        cpu_request=quantities.millicores(requests["cpu"]) if "cpu" in requests else 0,
        memory_limit=quantities.size_bytes(limits["memory"]) if "memory" in limits else 0,
    )
