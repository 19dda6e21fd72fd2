"""What a container shares with its Pod, and which files it sees where."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import members
from .verbs import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from .state import Record


def namespaces(sandbox: Record, *, isolated: bool) -> tuple[str, ...]:
    """Return which of its holder's namespaces the containers of a Pod enter."""
    if not isolated:
        return ()
    return ("uts",) if sandbox["host_network"] else ("uts", "net")


def mounts(sandbox: Record, config: dict[str, Any], directory: Path) -> list[dict[str, Any]]:
    """Return what shall appear where; ``directory`` is the sandbox's, with its files of /etc."""
    asked = [
        {"to": m["container_path"], "from": m["host_path"], "readonly": m["readonly"]}
        for m in config["mounts"]
    ]
    if sandbox["host_network"]:
        return asked
    taken = {m["to"] for m in asked}
    own = [
        {"to": f"/etc/{name}", "from": str(directory / name), "readonly": False}
        for name in ("hosts", "resolv.conf", "hostname")
        if f"/etc/{name}" not in taken and (directory / name).exists()
    ]
    return own + asked


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
    return bool(os.path.realpath(mount["host_path"]) == os.path.realpath(mount["container_path"]))
