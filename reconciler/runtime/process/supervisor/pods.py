"""A node's Pods: its sandboxes, containers and commands behind the names that requests have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import adoption, origin, ownlog, protocol, records, remains
from .commands import Commands
from .containers import Containers
from .resources import Resources
from .sandboxes import Sandboxes
from .state import State
from .verbs import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .loopback import LoopbackNetwork
    from .node import NodeNetwork
    from .verbs import Loop, Reply, Request


class Pods:
    """All of a node's; goes on with what an earlier supervisor left. ``hidden``: paths that no Pod may see."""

    def __init__(
        self, root: Path, node: NodeNetwork | LoopbackNetwork, loop: Loop, hidden: tuple[str, ...]
    ) -> None:
        self._root = root
        self._origin = origin.name_of(root)
        self._node = node
        state = State(root, loop)
        self._resources = Resources(root, loop)
        self._containers = Containers(state, node, loop, hidden, self._resources)
        self._sandboxes = Sandboxes(state, node, self._containers)
        self._state = state
        self._commands = Commands(state, node, loop)
        self._end_what_is_lost(state)
        for record in list(state.containers.values()):
            if record["state"] == "CONTAINER_RUNNING":
                adoption.adopt(record, self._containers, loop)
        self.operations: dict[str, Callable[[Request, Reply], None]] = {
            "info": self._info,
            "sockets": self._sockets,
            "run_sandbox": self._sandboxes.run,
            "stop_sandbox": self._sandboxes.stop,
            "remove_sandbox": self._sandboxes.remove,
            "pods": self._sandboxes.list,
            "memory_directory": self._sandboxes.memory_directory,
            "create": self._containers.create,
            "start": self._containers.start,
            "stop": self._containers.stop,
            "remove": self._containers.remove,
            "containers": self._containers.list,
            "stats": self._containers.stats,
            "reopen_log": self._containers.reopen_log,
            "exec": self._commands.run,
            "kill_command": self._commands.kill,
        }

    def _end_what_is_lost(self, state: State) -> None:
        """End what runs where nobody can say what it is: its Pod is started again, and never runs twice."""
        lost = lost_sandboxes(state, all_of_them=self._node.fresh)
        if lost and not self._node.fresh:
            remains.end(self._origin, lost)
        for sandbox in lost:
            self._sandboxes.lose(sandbox)
        for directory in state.damaged:
            ownlog.note(f"{directory}: its record is damaged: what ran of it was ended")
            records.forget(directory)

    def abandon(self) -> None:
        """End everything without writing anything down: there is nowhere to."""
        remains.end(self._origin)

    def ended(self, pid: int, status: int) -> None:
        """Hear that a child of ours, or one that came to us, has ended."""
        if not self._containers.ended(pid, status) and not self._commands.ended(pid, status):
            self._sandboxes.holder_ended(pid)

    def _info(self, _: Request, reply: Reply) -> None:
        node = self._node
        reply(
            {
                "pid": os.getpid(),
                "protocol": protocol.OURS.speaks,
                "oldest_protocol": protocol.OURS.oldest,
                "rootless": node.rootless,
                "pod_cidr": str(node.pods),
                "service_cidr": str(node.services),
                "isolated": node.isolated,
                "memory_directories": node.isolated,
                "problem": node.problem,
                "resources": self._resources.told(),
            }
        )

    def _sockets(self, request: Request, reply: Reply) -> None:
        reply(None, self._node.sockets(request))

    def end(self) -> None:
        """End the empty network; refuses while a sandbox is left."""
        if self._sandboxes.any_ready():
            raise Failure("sandboxes are left: stop them first")
        self._node.end()
        self._resources.end()
        records.forget(self._root / "node.json")


def lost_sandboxes(state: State, *, all_of_them: bool) -> set[str]:
    """Return the ids of sandboxes with a damaged record, their own or of a container; or all, as of a network that is lost."""
    damaged = {
        kind: {d.name for d in state.damaged if d.parent.name == kind}
        for kind in ("sandboxes", "containers")
    }
    known = {*state.sandboxes, *damaged["sandboxes"]}
    if all_of_them:
        return known
    owners = {
        s for s in state.sandboxes if any(c.startswith(f"{s}-") for c in damaged["containers"])
    }
    return damaged["sandboxes"] | owners
