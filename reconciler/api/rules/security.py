"""Rules of security contexts, of Pods and of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ID = 2**31 - 1
#: Fields of Linux: a Pod of Windows may not set them.
_LINUX_POD = (
    "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
    "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "appArmorProfile",
)  # fmt: skip
_LINUX_CONTAINER = (
    "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup", "appArmorProfile",
)  # fmt: skip


#: Kernel parameters of a namespace that a Pod shares with its host are the host's.
_NAMESPACES = {
    "hostNetwork": ("net.",),
    "hostIPC": ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."),
}


def pod_security(spec: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a Pod's own security context and the host namespaces it asks for."""
    context = below(spec, "securityContext")
    here = (*path, "securityContext")
    if context:
        yield from _ids(context, here, "runAsUser", "runAsGroup", "fsGroup")
        for index, group in enumerate(context.get("supplementalGroups") or ()):
            if not 0 <= (group or 0) <= _MOST_ID:
                told = f"must be between 0 and {_MOST_ID}, inclusive"
                yield invalid("user-id", (*here, "supplementalGroups", index), group, told)
        yield from _profiles(context, here)
        yield from _sysctls(context, here, spec)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        yield invalid(
            "host-namespaces", (*path, "shareProcessNamespace"), True,
            "ShareProcessNamespace and HostPID cannot both be enabled",
            named="spec.securityContext.shareProcessNamespace" if path == ("spec",) else "",
        )  # fmt: skip
    if spec.get("hostUsers") is False:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                yield forbidden("host-namespaces", (*path, field), "when `hostUsers` is false")
    yield from _host_process(spec, path)
    if below(spec, "os").get("name") == "windows":
        yield from _windows(spec, path)
    elif below(spec, "os").get("name") == "linux":
        yield from _linux(spec, path)


def _ids(context: Part, path: Path, *fields: str) -> Iterator[Problem]:
    for field in fields:
        value = context.get(field)
        if value is not None and not 0 <= value <= _MOST_ID:
            yield invalid(
                "user-id", (*path, field), value, f"must be between 0 and {_MOST_ID}, inclusive"
            )


def _profiles(context: Part, path: Path) -> Iterator[Problem]:
    for field, words in (("seccompProfile", "seccomp type"), ("appArmorProfile", "AppArmor type")):
        profile = context.get(field)
        if not profile:
            continue
        name, kind = profile.get("localhostProfile"), profile.get("type")
        here = (*path, field, "localhostProfile")
        if kind == "Localhost" and not name:
            yield required("security-profile", here, f"must be set when {words} is Localhost")
        elif kind != "Localhost" and name is not None:
            yield invalid(
                "security-profile", here, name, f"can only be set when {words} is Localhost"
            )
        elif (
            name and field == "seccompProfile" and (name.startswith("/") or ".." in name.split("/"))
        ):
            yield invalid("security-profile", here, name, "must be a relative path without '..'")
        if not kind:
            yield required("security-profile", (*path, field, "type"), "type is required")


def _sysctls(context: Part, path: Path, spec: Part) -> Iterator[Problem]:
    seen: set[str] = set()
    for here, one in each(context, "sysctls", path):
        name = one.get("name") or ""
        if not name:
            yield required("sysctl", (*here, "name"))
        elif len(name) > 253 or " " in name or name != name.lower().strip("./-_"):
            told = "must have at most 253 characters of lower case letters, digits, '-', '_', '.' and '/'"
            yield invalid("sysctl", (*here, "name"), name, told)
        elif name in seen:
            yield duplicate("sysctl", (*here, "name"), name)
        for field, prefixes in _NAMESPACES.items():
            if spec.get(field) and name.replace("/", ".").startswith(prefixes):
                told = f"may not be specified when '{field}' is true"
                yield invalid("sysctl", (*here, "name"), name, told)
        seen.add(name)


def _host_process(spec: Part, path: Path) -> Iterator[Problem]:
    default = below(below(spec, "securityContext"), "windowsOptions").get("hostProcess")
    found = []
    for field in ("containers", "initContainers"):
        for here, container in each(spec, field, path):
            own = below(below(container, "securityContext"), "windowsOptions").get("hostProcess")
            found.append((here, default if own is None else own))
    if not any(is_one for _, is_one in found):
        return
    for here, is_one in found:
        if not is_one:
            yield invalid(
                "host-process", (*here, "securityContext", "windowsOptions", "hostProcess"), False,
                "If pod contains any hostProcess containers then all containers must be HostProcess containers",
            )  # fmt: skip
    if not spec.get("hostNetwork"):
        yield invalid(
            "host-process", (*path, "hostNetwork"), False,
            "hostNetwork must be true if pod contains any hostProcess containers",
        )  # fmt: skip


def _windows(spec: Part, path: Path) -> Iterator[Problem]:
    told = "cannot be set for a windows pod"
    for field in ("hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"):
        if spec.get(field) is not None and spec[field] is not False:
            yield forbidden("windows", (*path, field), told)
    context = below(spec, "securityContext")
    for field in _LINUX_POD:
        if context.get(field) is not None:
            yield forbidden("windows", (*path, "securityContext", field), told)
    for group in ("containers", "initContainers"):
        for here, container in each(spec, group, path):
            inside = below(container, "securityContext")
            for field in _LINUX_CONTAINER:
                if inside.get(field) is not None:
                    yield forbidden("windows", (*here, "securityContext", field), told)


def _linux(spec: Part, path: Path) -> Iterator[Problem]:
    holders = [(path, spec), *each(spec, "containers", path), *each(spec, "initContainers", path)]
    for here, one in holders:
        if below(one, "securityContext").get("windowsOptions") is not None:
            told = "windows options cannot be set for a linux pod"
            yield forbidden("windows", (*here, "securityContext", "windowsOptions"), told)


def container_security(context: Part, path: Path, *, user_namespace: bool) -> Iterator[Problem]:
    """Yield what is wrong with a container's security context."""
    yield from _ids(context, path, "runAsUser", "runAsGroup")
    yield from _profiles(context, path)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            told = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid("privilege-escalation", path, context, told)
        added = below(context, "capabilities").get("add") or ()
        if "CAP_SYS_ADMIN" in added:
            told = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid("privilege-escalation", path, context, told)
    if context.get("procMount") == "Unmasked" and not user_namespace:
        yield invalid(
            "proc-mount",
            (*path, "procMount"),
            "Unmasked",
            "`hostUsers` must be false to use `Unmasked`",
        )
