"""What the runtime is told of a Pod: its sandbox's and its containers' configuration. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.api import quantities
from reconciler.kubelet import fields, security
from reconciler.kubelet.environment import expand
from reconciler.kubelet.volumes import mounts_of
from reconciler.runtime.cri import (
    ContainerConfig,
    DNSConfig,
    HostAlias,
    Resources,
    SandboxConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.api.objects import Object
    from reconciler.kubelet.volumes import MountedVolume


class ClusterDNS(NamedTuple):
    """Where Pods ask for names. ``server`` empty = no cluster DNS."""

    server: str = "10.96.0.10"
    domain: str = "cluster.local"


def sandbox_config(
    pod: Object, attempt: int, dns: ClusterDNS, log_directory: Path
) -> SandboxConfig:
    """Return a sandbox's configuration (P70-P75)."""
    meta, spec = pod["metadata"], pod["spec"]
    host = fields.hostname(pod)
    domain = ""
    if spec.get("subdomain"):
        domain = f"{spec['subdomain']}.{meta['namespace']}.svc.{dns.domain}"
    return SandboxConfig(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        attempt=attempt,
        hostname=host,
        domain=domain,
        log_directory=str(log_directory),
        dns=_dns(spec, meta["namespace"], dns),
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


def _dns(spec: dict[str, Any], namespace: str, dns: ClusterDNS) -> DNSConfig:
    policy = spec.get("dnsPolicy", "ClusterFirst")
    own = spec.get("dnsConfig") or {}
    in_cluster = policy == "ClusterFirstWithHostNet" or (
        policy == "ClusterFirst" and not spec.get("hostNetwork")
    )
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    if in_cluster and dns.server:
        servers = [dns.server]
        searches = [f"{namespace}.svc.{dns.domain}", f"svc.{dns.domain}", dns.domain]
        options = ["ndots:5"]
    servers += own.get("nameservers") or []
    searches += own.get("searches") or []
    for option in own.get("options") or ():
        value = option.get("value")
        options.append(f"{option['name']}:{value}" if value else option["name"])
    return DNSConfig(tuple(servers), tuple(dict.fromkeys(searches)), tuple(options))


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
