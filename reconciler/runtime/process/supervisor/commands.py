"""Commands inside containers (CRI Exec)."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from . import cgroups, isolation, spawn, starts
from .verbs import Failure

if TYPE_CHECKING:
    from .loopback import LoopbackNetwork
    from .node import NodeNetwork
    from .state import State
    from .verbs import Loop, Reply, Request


class Commands:
    """Those that run; a daemon is told when one has ended."""

    def __init__(self, state: State, node: NodeNetwork | LoopbackNetwork, loop: Loop) -> None:
        self._state = state
        self._node = node
        self._loop = loop
        self._running: set[int] = set()
        self._starting: dict[int, starts.Start] = {}

    def run(self, request: Request, reply: Reply) -> None:
        record = self._state.container(request["container"])
        if record["state"] != "CONTAINER_RUNNING":
            raise Failure(f"container {record['name']} is not running")
        ours, theirs = ([], None) if request["tty"] else _pipes()
        sandbox = self._state.sandboxes[record["sandbox_id"]]
        doors = cgroups.doors(record.get("cgroups") or {})
        wanted = isolation.namespaces(sandbox, isolated=self._node.isolated)
        try:
            command = spawn.command(
                record["pid"],
                request["argv"],
                record["config"],
                theirs,
                isolation.host_of(self._node),
                namespaces=tuple(dict.fromkeys((*wanted, "mnt"))) if wanted else (),
                doors=doors,
            )
        except OSError as error:
            for fd in ours:
                os.close(fd)
            raise Failure(error.strerror or str(error), "StartError") from None
        finally:
            for fd in [*(theirs or ()), *doors]:
                os.close(fd)

        def told(said: starts.Told) -> None:
            self._starting.pop(command.pid, None)
            if said.error:
                for fd in ours:
                    os.close(fd)
                command.peer.close()
                self._running.discard(command.pid)
                starts.end(command.pid)
                reply.fail(Failure(said.error, "StartError"))
            elif theirs is None:
                reply(command.pid, [command.terminal()])
            else:
                command.peer.close()
                reply(command.pid, ours)

        self._running.add(command.pid)
        self._starting[command.pid] = starts.Start(command.pid, command.report, self._loop, told)

    def kill(self, request: Request, reply: Reply) -> None:
        if request["pid"] in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(request["pid"], signal.SIGKILL)
        reply()

    def ended(self, pid: int, status: int) -> bool:
        """Hear that a child has ended; tell whether it was a command."""
        if pid not in self._running:
            return False
        if start := self._starting.get(pid):
            start.look()  # first things first: whoever asked hears of it before it hears of its end
        if pid not in self._running:
            return True
        self._running.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        self._loop.tell({"command": pid, "code": code if code >= 0 else 128 - code})
        return True


def _pipes() -> tuple[list[int], tuple[int, int, int]]:
    """Return our ends of a command's three streams, and its own."""
    pairs = [os.pipe() for _ in range(3)]
    return [pairs[0][1], pairs[1][0], pairs[2][0]], (pairs[0][0], pairs[1][1], pairs[2][1])
