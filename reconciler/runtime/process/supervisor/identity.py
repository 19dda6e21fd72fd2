"""Who a container's processes are: user, groups, capabilities, no_new_privs and the filter of system calls."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from . import accounts, capabilities, seccomp
from . import namespaces as ns


class Host(NamedTuple):
    """What the supervisor can give: ``isolated``: it makes namespaces; ``rootless``: as an ordinary user."""

    isolated: bool
    rootless: bool


def refusal(security: dict[str, Any], host: Host) -> str:
    """Return why a container with this securityContext cannot be had on this host; "" when it can."""
    try:
        wanted = _capabilities(security)
        _filter(security, wanted)
    except ValueError as error:
        return str(error)
    if not host.isolated:
        return _without_namespaces(security)
    missing = sorted(
        wanted
        & {_plain(n) for n in security.get("capabilities_add") or ()} - capabilities.available()
    )
    if missing:
        return f"this host does not have the capabilities {', '.join(missing)} to give"
    return ""


def _plain(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _without_namespaces(security: dict[str, Any]) -> str:
    user = security.get("run_as_user")
    if user not in (None, os.getuid()):
        return f"runAsUser {user} needs root or user namespaces: this host has only {os.getuid()} to give"
    if security.get("read_only_root"):
        return "readOnlyRootFilesystem needs root or user namespaces"
    if security.get("privileged"):
        return "privileged needs root or user namespaces"
    return ""


def _capabilities(security: dict[str, Any]) -> frozenset[str]:
    return capabilities.wanted(
        security.get("capabilities_add") or (),
        security.get("capabilities_drop") or (),
        privileged=bool(security.get("privileged")),
    )


def _filter(security: dict[str, Any], wanted: frozenset[str]) -> bytes:
    profile = security.get("seccomp") or "Unconfined"
    if profile == "Unconfined" or security.get("privileged"):
        return b""
    if profile != "RuntimeDefault":
        raise seccomp.Unavailable(
            f"seccompProfile {profile} is not available on the process runtime: "
            "use RuntimeDefault or Unconfined"
        )
    return seccomp.program(wanted, os.uname().machine)


def host_user(config: dict[str, Any]) -> int | None:
    """Return which of the host's users a container is that does not run as the supervisor's."""
    user: int | None = (config.get("security") or {}).get("run_as_user")
    base: int = config.get("users") or 0
    return base + (user or 0) if base else user


def assume(security: dict[str, Any], host: Host, user_namespace: int = -1) -> str:
    """Become who the securityContext names, for good; returns their home directory. Raises ``OSError``.

    ``user_namespace``: the fd of the one to live in: its Pod's, or that which the container has already.
    """
    wanted = _capabilities(security)
    filter_program = _filter(security, wanted)
    user = security.get("run_as_user")
    found = accounts.account(os.getuid() if user is None else user)
    if not host.isolated:
        if security.get("no_new_privileges") or filter_program:
            ns.no_new_privileges()
        if filter_program:
            seccomp.install(filter_program)
        return found.home
    group = security.get("run_as_group")
    group = found.gid if group is None else group
    if user_namespace >= 0:
        ns.setns(user_namespace, ns.NEWUSER)
    elif host.rootless and (user or group):
        # One id can be had here, and it can be shown as any: the user's own files are the container's.
        ns.enter_user_namespace(user or 0, group)
    if not host.rootless:
        groups = {group, *(security.get("supplemental_groups") or ())}
        if not security.get("strict_groups"):
            groups |= set(found.groups)
        os.setgroups(sorted(groups))
        os.setresgid(group, group, group)
    if filter_program:
        seccomp.install(filter_program)
    capabilities.bound(wanted)
    if user or not host.rootless:
        os.setresuid(user or 0, user or 0, user or 0)
    capabilities.limit(frozenset() if user else wanted)
    if security.get("no_new_privileges"):
        ns.no_new_privileges()
    return found.home
