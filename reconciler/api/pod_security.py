"""The Pod Security Standards (k8s.io/pod-security-admission): what a Pod of each level may not ask for. Pure.

Each check yields what is wrong as Kubernetes words it: a reason, and which containers or volumes in brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.api.rules.problem import below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

LEVELS = ("privileged", "baseline", "restricted")
ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"

_BASELINE_CAPABILITIES = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
_SAFE_SYSCTLS = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
))  # fmt: skip
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_RESTRICTED_VOLUMES = frozenset((
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image",
))  # fmt: skip
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")

Spec = dict[str, Any]


def violations(spec: Spec, level: str) -> list[str]:
    """Return what a Pod's spec asks for beyond a level."""
    checks: tuple[Callable[[Spec], Iterator[str]], ...] = ()
    if level == "baseline":
        checks = (
            _app_armor, _baseline_capabilities, _host_namespaces, _host_paths, _host_ports, _privileged, _proc_mount,
            _selinux, _unconfined, _sysctls, _host_process,
        )  # fmt: skip
    elif level == "restricted":
        checks = (
            _app_armor, _host_namespaces, _host_ports, _privileged, _proc_mount, _selinux, _sysctls, _host_process,
            _escalation, _restricted_capabilities, _restricted_volumes, _non_root, _root_user, _seccomp,
        )  # fmt: skip
    return [told for check in checks for told in check(spec)]


def refusal(spec: Spec, labels: Mapping[str, str], default: str) -> str:
    """Return why a namespace with these labels refuses a Pod, as Kubernetes says it; "" when it does not.

    ``default`` is the level of a namespace that names none.
    """
    level = labels.get(ENFORCE, default)
    if level not in LEVELS:
        level = "restricted"  # as Kubernetes: a level that cannot be read is the strictest
    found = violations(spec, level)
    if not found:
        return ""
    version = labels.get(ENFORCE_VERSION, "latest")
    return f'violates PodSecurity "{level}:{version}": {", ".join(found)}'


def _containers(spec: Spec) -> Iterator[tuple[str, Spec, Spec]]:
    """Yield each container's name, itself and its securityContext."""
    for field in CONTAINERS:
        for container in spec.get(field) or ():
            yield container["name"], container, below(container, "securityContext")


def _those(names: Iterable[str], noun: str = "container") -> str:
    listed = [f'"{name}"' for name in dict.fromkeys(names)]
    return f"{noun}{'s' if len(listed) > 1 else ''} {', '.join(listed)}"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in sorted(set(values)))


def _must_not(names: list[str], reason: str, what: str) -> Iterator[str]:
    if names:
        yield f"{reason} ({_those(names)} must not {what})"


# -- baseline ------------------------------------------------------------------------------------------------------


def _app_armor(spec: Spec) -> Iterator[str]:
    bad = [
        name
        for name, _, own in _containers(spec)
        if below(own, "appArmorProfile").get("type") == "Unconfined"
    ]
    if below(below(spec, "securityContext"), "appArmorProfile").get("type") == "Unconfined":
        yield 'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")'
    yield from _must_not(
        bad, "forbidden AppArmor profile", 'set AppArmor profile type to "Unconfined"'
    )


def _added(spec: Spec, allowed: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the containers that add capabilities which are not allowed, and these."""
    names, bad = [], []
    for name, _, own in _containers(spec):
        wrong = [c for c in below(own, "capabilities").get("add") or () if c not in allowed]
        if wrong:
            names.append(name)
            bad += wrong
    return names, bad


def _baseline_capabilities(spec: Spec) -> Iterator[str]:
    names, bad = _added(spec, _BASELINE_CAPABILITIES)
    yield from _must_not(
        names,
        "non-default capabilities",
        f"include {_quoted(bad)} in securityContext.capabilities.add",
    )


def _host_namespaces(spec: Spec) -> Iterator[str]:
    found = [f"{f}=true" for f in ("hostNetwork", "hostPID", "hostIPC") if spec.get(f)]
    if found:
        yield f"host namespaces ({', '.join(found)})"


def _host_paths(spec: Spec) -> Iterator[str]:
    names = [v["name"] for v in spec.get("volumes") or () if v.get("hostPath") is not None]
    if names:
        yield f"hostPath volumes ({_those(names, 'volume')})"


def _host_ports(spec: Spec) -> Iterator[str]:
    names: list[str] = []
    ports: list[int] = []
    for name, container, _ in _containers(spec):
        own = [p["hostPort"] for p in container.get("ports") or () if p.get("hostPort")]
        if own:
            names.append(name)
            ports += own
    if names:
        verb = "use" if len(set(names)) > 1 else "uses"
        listed = sorted(set(ports))
        plural = "s" if len(listed) > 1 else ""
        yield f"hostPort ({_those(names)} {verb} hostPort{plural} {', '.join(map(str, listed))})"


def _privileged(spec: Spec) -> Iterator[str]:
    bad = [name for name, _, own in _containers(spec) if own.get("privileged")]
    yield from _must_not(bad, "privileged", "set securityContext.privileged=true")


def _proc_mount(spec: Spec) -> Iterator[str]:
    kinds = {
        name: own["procMount"]
        for name, _, own in _containers(spec)
        if own.get("procMount") not in (None, "Default")
    }
    told = f"set securityContext.procMount to {_quoted(kinds.values())}"
    yield from _must_not(list(kinds), "procMount", told)


def _selinux(spec: Spec) -> Iterator[str]:
    contexts = [("pod", below(spec, "securityContext"))]
    contexts += [(_those([name]), own) for name, _, own in _containers(spec)]
    for where, context in contexts:
        options = below(context, "seLinuxOptions")
        if (options.get("type") or "") not in _SELINUX_TYPES:
            yield f'seLinuxOptions ({where} set forbidden securityContext.seLinuxOptions: type "{options["type"]}")'
        for field in ("user", "role"):
            if options.get(field):
                yield f"seLinuxOptions ({where} set forbidden securityContext.seLinuxOptions: {field} may not be set)"


def _unconfined(spec: Spec) -> Iterator[str]:
    told = 'set securityContext.seccompProfile.type to "Unconfined"'
    if below(below(spec, "securityContext"), "seccompProfile").get("type") == "Unconfined":
        yield f"seccompProfile (pod must not {told})"
    bad = [
        name
        for name, _, own in _containers(spec)
        if below(own, "seccompProfile").get("type") == "Unconfined"
    ]
    yield from _must_not(bad, "seccompProfile", told)


def _sysctls(spec: Spec) -> Iterator[str]:
    names = [s.get("name") or "" for s in below(spec, "securityContext").get("sysctls") or ()]
    bad = [name for name in names if name.replace("/", ".") not in _SAFE_SYSCTLS]
    if bad:
        yield f"forbidden sysctls ({', '.join(bad)})"


def _host_process(spec: Spec) -> Iterator[str]:
    def asks(context: Spec) -> bool:
        return bool(below(context, "windowsOptions").get("hostProcess"))

    told = "set securityContext.windowsOptions.hostProcess=true"
    if asks(below(spec, "securityContext")):
        yield f"hostProcess (pod must not {told})"
    yield from _must_not(
        [name for name, _, own in _containers(spec) if asks(own)], "hostProcess", told
    )


# -- restricted ----------------------------------------------------------------------------------------------------


def _escalation(spec: Spec) -> Iterator[str]:
    bad = [
        name
        for name, _, own in _containers(spec)
        if own.get("allowPrivilegeEscalation") is not False
    ]
    if bad:
        yield (
            f"allowPrivilegeEscalation != false ({_those(bad)} must set "
            "securityContext.allowPrivilegeEscalation=false)"
        )


def _restricted_capabilities(spec: Spec) -> Iterator[str]:
    keeping = [
        name
        for name, _, own in _containers(spec)
        if "ALL" not in (below(own, "capabilities").get("drop") or ())
    ]
    told = []
    if keeping:
        told.append(f'{_those(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    names, bad = _added(spec, frozenset(("NET_BIND_SERVICE",)))
    if names:
        told.append(
            f"{_those(names)} must not include {_quoted(bad)} in securityContext.capabilities.add"
        )
    if told:
        yield f"unrestricted capabilities ({'; '.join(told)})"


def _restricted_volumes(spec: Spec) -> Iterator[str]:
    bad: dict[str, str] = {}
    for volume in spec.get("volumes") or ():
        kind = next((k for k in volume if k != "name" and volume[k] is not None), "emptyDir")
        if kind not in _RESTRICTED_VOLUMES:
            bad[volume["name"]] = kind
    if bad:
        one = len(bad) == 1
        verb = "uses restricted volume type" if one else "use restricted volume types"
        yield f"restricted volume types ({_those(bad, 'volume')} {verb} {_quoted(bad.values())})"


def _non_root(spec: Spec) -> Iterator[str]:
    whole = below(spec, "securityContext").get("runAsNonRoot")
    told = []
    if whole is False:
        told.append("pod must not set securityContext.runAsNonRoot=false")
    denied = [name for name, _, own in _containers(spec) if own.get("runAsNonRoot") is False]
    if denied:
        told.append(f"{_those(denied)} must not set securityContext.runAsNonRoot=false")
    silent = [name for name, _, own in _containers(spec) if own.get("runAsNonRoot") is None]
    if whole is None and silent:
        told.append(f"pod or {_those(silent)} must set securityContext.runAsNonRoot=true")
    if told:
        yield f"runAsNonRoot != true ({'; '.join(told)})"


def _root_user(spec: Spec) -> Iterator[str]:
    told = []
    if below(spec, "securityContext").get("runAsUser") == 0:
        told.append("pod must not set runAsUser=0")
    bad = [name for name, _, own in _containers(spec) if own.get("runAsUser") == 0]
    if bad:
        told.append(f"{_those(bad)} must not set runAsUser=0")
    if told:
        yield f"runAsUser=0 ({'; '.join(told)})"


def _seccomp(spec: Spec) -> Iterator[str]:
    allowed = ("RuntimeDefault", "Localhost")
    whole = below(below(spec, "securityContext"), "seccompProfile").get("type")
    told = []
    if whole is not None and whole not in allowed:
        told.append(f'pod must not set securityContext.seccompProfile.type to "{whole}"')
    wrong, silent = [], []
    for name, _, own in _containers(spec):
        kind = below(own, "seccompProfile").get("type")
        if kind is None:
            silent.append(name)
        elif kind not in allowed:
            wrong.append(name)
    if wrong:
        told.append(
            f'{_those(wrong)} must not set securityContext.seccompProfile.type to "Unconfined"'
        )
    if whole is None and silent:
        told.append(
            f'pod or {_those(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        )
    if told:
        yield f"seccompProfile ({'; '.join(told)})"
