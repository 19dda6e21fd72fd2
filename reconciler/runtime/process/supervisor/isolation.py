"""What a container shares with its Pod, and which files it sees where."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import holders, identity, members, mounts
from .verbs import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .loopback import LoopbackNetwork
    from .node import NodeNetwork
    from .state import Record


#: What a container has to itself, and empty, where the host's file system is kept from it.
_PRIVATE = ("/tmp", "/var/tmp", "/run")  # noqa: S108


def own(config: dict[str, Any], node: NodeNetwork | LoopbackNetwork) -> holders.Own:
    """Return what a Pod that is configured so shall have to itself."""
    return holders.Own(
        pids=node.own_pids and not config.get("host_pid"),
        ipc=node.isolated and not config.get("host_ipc"),
    )


def made(config: dict[str, Any], own: holders.Own) -> list[str]:
    """Return the namespaces that such a Pod's holder has, by their names below /proc/PID/ns."""
    wanted = {"net": not config["host_network"], "ipc": own.ipc, "pid": own.pids}
    return ["uts", *(name for name, yes in wanted.items() if yes), "mnt"]


def namespaces(sandbox: Record, *, isolated: bool) -> tuple[str, ...]:
    """Return which of its holder's namespaces the containers of a Pod enter."""
    if not isolated:
        return ()
    if "namespaces" in sandbox:
        return tuple(sandbox["namespaces"])
    # Made by a supervisor that kept no list.
    return ("uts",) if sandbox["host_network"] else ("uts", "net")


def host_of(node: NodeNetwork | LoopbackNetwork) -> identity.Host:
    """Return what containers of a node can be given."""
    return identity.Host(node.isolated, node.rootless)


def view(config: dict[str, Any], directory: Path, hidden: Sequence[str]) -> dict[str, Any]:
    """Return what ``mounts.build`` shall show a container; ``directory`` is the sandbox's, with its files of /etc.

    ``hidden``: what only the privileged see.
    """
    security = config.get("security") or {}
    read_only_root = bool(security.get("read_only_root"))
    privileged = bool(security.get("privileged"))
    protected = config.get("root_filesystem") == "readOnly" and not privileged
    asked = [
        {
            "to": m["container_path"],
            "from": m["host_path"],
            "sub_path": m.get("sub_path") or "",
            "readonly": m["readonly"],
            "recursive": m.get("recursive_readonly") or False,
            "propagation": m.get("propagation") or "",
        }
        for m in config["mounts"]
    ]
    taken = {m["to"] for m in asked}
    own = [
        {"to": f"/etc/{name}", "from": str(directory / name), "readonly": read_only_root}
        for name in ("hosts", "resolv.conf", "hostname")
        if f"/etc/{name}" not in taken and (directory / name).exists()
    ]
    return {
        "mounts": own + asked,
        "private": list(_PRIVATE) if protected else [],
        "read_only_root": read_only_root or protected,
        "writable": list(_PRIVATE) if protected and not read_only_root else [],
        "own_devices": not privileged,
        "masked": not privileged and not security.get("unmasked_proc"),
        "hidden": [] if privileged else list(hidden),
    }


def refuse(config: dict[str, Any], host: identity.Host) -> None:
    """Raise ``Failure`` for what no container can be given here: nothing that was asked for is left out in silence."""
    if why := identity.refusal(config.get("security") or {}, host):
        raise Failure(why, "CreateContainerError")
    if config.get("root_filesystem") == "readOnly" and not host.isolated:
        raise Failure(
            "rootFilesystem readOnly (in reconciler.yaml) needs root or user namespaces",
            "CreateContainerError",
        )
    for mount in config["mounts"]:
        if mount.get("propagation") == "Bidirectional":
            raise Failure(
                f"mountPropagation Bidirectional of {mount['container_path']} is not available on the process runtime: "
                "use HostToContainer or None",
                "CreateContainerError",
            )


def make_sub_paths(sandbox: Record, config: dict[str, Any]) -> None:
    """Make what is missing of a container's subPaths. Raises ``Failure`` for one that leads out of its volume."""
    asked = [
        {"from": m["host_path"], "sub_path": m["sub_path"]}
        for m in config["mounts"]
        if m.get("sub_path")
    ]

    def work() -> list[int]:
        return [mounts.source(mount) for mount in asked]

    if not asked:
        return
    try:
        for descriptor in holders.in_mounts(sandbox["holder"]["pid"], work, len(asked)):
            os.close(descriptor)
    except OSError as error:
        raise Failure(error.strerror or str(error), "CreateContainerConfigError") from None


def unisolated(key: str, sandbox: Record, config: dict[str, Any], problem: str) -> dict[str, Any]:
    """Return the configuration of a container that shares all with the host, because of a ``problem``.

    Raises ``Failure`` for one that cannot.
    """
    hidden = [m["container_path"] for m in config["mounts"] if not _is_in_place(m)]
    if hidden:
        raise Failure(
            f"nothing can be mounted at {', '.join(hidden)}: {problem}", "CreateContainerError"
        )
    own = {members.MARK: key, "POD_IP": sandbox["ip"]}
    return {**config, "env": {**own, **config["env"], members.MARK: key}}


def _is_in_place(mount: dict[str, Any]) -> bool:
    source = f"{mount['host_path']}/{mount.get('sub_path') or ''}"
    return bool(os.path.realpath(source) == os.path.realpath(mount["container_path"]))
