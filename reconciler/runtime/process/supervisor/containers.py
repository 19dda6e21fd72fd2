"""Containers: made, started, stopped, ended, forgotten."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from . import cgroups, identity, isolation, members, output, records, spawn, starts
from .processes import Processes
from .verbs import Failure

if TYPE_CHECKING:
    from .loopback import LoopbackNetwork
    from .node import NodeNetwork
    from .resources import Resources
    from .state import Record, State
    from .timers import Timer
    from .verbs import Loop, Reply, Request

#: What of a record is the supervisor's own business.
_PRIVATE = ("config", "process", "mount_namespace", "marked", "cgroups", "stop_signal")


class Live:
    """What a running container has besides its record."""

    def __init__(self, out: output.Output) -> None:
        self.output = out
        self.waiting: list[Reply] = []
        self.deadlines: list[Timer] = []


class Containers:
    """The CRI's verbs of containers."""

    def __init__(
        self,
        state: State,
        node: NodeNetwork | LoopbackNetwork,
        loop: Loop,
        hidden: tuple[str, ...],
        resources: Resources,
    ) -> None:
        self._state = state
        self._resources = resources
        self._node = node
        self._loop = loop
        self._hidden = hidden
        self._host = isolation.host_of(node)
        self._live: dict[str, Live] = {}
        self._children: dict[int, str] = {}
        self._starting: dict[int, starts.Start] = {}

    def create(self, request: Request, reply: Reply) -> None:
        config = request["config"]
        sandbox = self._state.sandboxes.get(request["sandbox"])
        if sandbox is None or sandbox["state"] != "SANDBOX_READY":
            raise Failure(f"sandbox {request['sandbox']} is not ready")
        key = f"{sandbox['id']}-{config['name']}-{config['attempt']}"
        isolation.refuse(config, self._host)
        if not self._node.isolated:
            config = isolation.unisolated(key, sandbox, config, self._node.problem)
        if key not in self._state.containers:
            if self._node.isolated:
                isolation.make_sub_paths(sandbox, config)
            self._make(key, sandbox, config)
        reply(key)

    def _make(self, key: str, sandbox: Record, config: dict[str, Any]) -> None:
        log = f"{sandbox['log_directory']}/{config['log_path']}" if config["log_path"] else ""
        record = {
            "id": key,
            "sandbox_id": sandbox["id"],
            "pod_uid": sandbox["uid"],
            "name": config["name"],
            "attempt": config["attempt"],
            "state": "CONTAINER_CREATED",
            "created_at": time.time(),
            "image": config["image"],
            "image_ref": config["image"],
            "log_path": log,
            "config": config,
            "marked": not self._node.isolated,
            "stop_signal": config.get("stop_signal") or "",
        }
        directory = self._state.directory(record)
        directory.mkdir(parents=True, exist_ok=True)
        output.prepare(directory)
        self._state.containers[key] = record
        self._state.save(record)

    def start(self, request: Request, reply: Reply) -> None:
        record = self._state.container(request["container"])
        if record["state"] != "CONTAINER_CREATED":
            reply()
            return
        self.attach(record)
        try:
            self._resources.give(record)
            process, descriptors = self._fork(record)
            cgroups.enter(record["cgroups"], process.pid)
        except OSError as refused:
            why = f"resources: {refused.strerror}"
            self.finish(record, 127 << 8, "StartError", why)
            raise Failure(why, "StartError") from None
        record |= {
            "state": "CONTAINER_RUNNING",
            "started_at": time.time(),
            "process": records.identity(process.pid),
            "pid": process.pid,
            "config": {k: record["config"].get(k) for k in ("working_dir", "security", "env")}
            | {"users": self._state.sandboxes[record["sandbox_id"]].get("users", 0)},
        }
        self._state.save(record)
        self._children[process.pid] = record["id"]
        process.go()
        for fd in descriptors:
            os.close(fd)

        def told(said: starts.Told) -> None:
            self._starting.pop(process.pid, None)
            self._started(record, process.pid, said, reply)

        start = starts.Start(process.pid, process.report, self._loop, told)
        self._starting[process.pid] = start

    def _started(self, record: Record, pid: int, said: starts.Told, reply: Reply) -> None:
        """Hear how a container's way to its program went, unless it was killed on it."""
        if record["state"] == "CONTAINER_EXITED":
            reply()
            return
        record["mount_namespace"] = said.namespace
        if said.error:
            if self._children.pop(pid, None):
                starts.end(pid)
            self.finish(record, 127 << 8, "StartError", said.error)
            reply.fail(Failure(said.error, "StartError"))
            return
        self._state.save(record)
        self._state.changed(record)
        reply()

    def _fork(self, record: Record) -> tuple[spawn.Container, list[int]]:
        """Return a container's process, which waits, and what is to be closed when it has gone its way."""
        sandbox = self._state.sandboxes[record["sandbox_id"]]
        config = {**record["config"], "users": sandbox.get("users", 0)}
        user = None
        if os.getuid() == 0 and not self._node.rootless:
            user = identity.host_user(config)
        streams = output.open_ends(self._state.directory(record), user)
        holder = sandbox["holder"]["pid"]
        handles = {
            name: os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            for name in isolation.namespaces(sandbox, isolated=self._node.isolated)
        }
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        view = None
        if self._node.isolated:
            view = isolation.view(config, self._state.directory(sandbox), self._hidden)
        process = spawn.Container(
            {**config, "view": view},
            handles,
            str(self._state.root / "staging"),
            (null, streams[0], streams[1]),
            self._host,
        )
        return process, [*streams, *handles.values(), null]

    def attach(self, record: Record) -> None:
        """Read a container's output from now on."""
        directory = self._state.directory(record)
        self._live[record["id"]] = Live(output.Output(directory, record["log_path"], self._loop))

    def ended(self, pid: int, status: int) -> bool:
        """Hear that a child has ended; tell whether it was a container's first process."""
        key = self._children.pop(pid, None)
        if start := self._starting.get(pid):
            start.look()
        if key is not None:
            self.finish(self._state.containers[key], status)
        return key is not None

    def finish(
        self, record: Record, status: int | None, reason: str = "", message: str = ""
    ) -> None:
        """Write down how a container ended (``status`` as of wait; None = nobody knows) and kill what it left."""
        if record["state"] == "CONTAINER_EXITED":
            return
        sandbox = self._state.sandboxes.get(record["sandbox_id"], {})
        members.kill_all(record, sandbox.get("holder", {}))
        live = self._live.pop(record["id"])
        live.output.close()
        code = 137 if status is None else os.waitstatus_to_exitcode(status)
        if not reason:
            if code and self._resources.was_oom_killed(record):
                reason = "OOMKilled"
            elif status is None:
                reason = "ContainerStatusUnknown"
            else:
                reason = "Error" if code else "Completed"
        record |= {
            "state": "CONTAINER_EXITED",
            "finished_at": time.time(),
            "exit_code": code if code >= 0 else 128 - code,
            "signal": -code if code < 0 else 0,
            "reason": reason,
            "message": message,
            "pid": 0,
        }
        record.pop("config", None)
        self._resources.take_back(record)
        self._state.save(record)
        for deadline in live.deadlines:
            self._loop.cancel(deadline)
        for reply in live.waiting:
            reply()
        self._state.changed(record)

    def _signal(self, record: Record, number: int) -> None:
        records.send(record.get("process") or {}, number)

    def kill(self, record: Record) -> None:
        """End one at once, if it runs, and wait: its first process is a child, or was adopted."""
        if record["id"] not in self._live:
            return
        self._signal(record, signal.SIGKILL)
        pid = record["pid"]
        if self._children.pop(pid, None):
            _, status = os.waitpid(pid, 0)
            self.finish(record, status)
        else:
            self.finish(record, signal.SIGKILL)

    def stop(self, request: Request, reply: Reply) -> None:
        record = self._state.containers.get(request["container"])
        live = self._live.get(request["container"])
        if record is None or live is None:
            reply()
            return
        live.waiting.append(reply)
        if request["grace"] > 0:
            self._signal(record, signal_number(record.get("stop_signal") or "SIGTERM"))

        def end() -> None:
            if record["state"] == "CONTAINER_RUNNING":
                self._signal(record, signal.SIGKILL)

        live.deadlines.append(self._loop.later(max(0.0, request["grace"]), end))

    def forget(self, record: Record) -> None:
        """Forget one that has ended; raises ``Failure``."""
        if record["id"] in self._live:
            raise Failure(f"container {record['id']} still runs")
        self._state.forget(record)

    def remove(self, request: Request, reply: Reply) -> None:
        if record := self._state.containers.get(request["container"]):
            self.forget(record)
            self._state.changed(record)
        reply()

    def list(self, request: Request, reply: Reply) -> None:
        reply(
            [
                {key: value for key, value in record.items() if key not in _PRIVATE}
                for record in self._state.containers.values()
                if request["uid"] in (None, record["pod_uid"])
            ]
        )

    def stats(self, request: Request, reply: Reply) -> None:
        """Tell what running containers have used (CRI ListContainerStats)."""
        processes = Processes()
        found = []
        for key in self._live:
            record = self._state.containers[key]
            if record["state"] != "CONTAINER_RUNNING":
                continue
            if request["uid"] not in (None, record["pod_uid"]):
                continue
            used = self._resources.usage(record, processes)
            if used is not None:
                found.append(used | {k: record[k] for k in ("id", "pod_uid", "name")})
        reply(found)

    def reopen_log(self, request: Request, reply: Reply) -> None:
        self._state.container(request["container"])
        if live := self._live.get(request["container"]):
            live.output.reopen()
        reply()


def signal_number(name: str) -> int:
    """Return a signal's number by its name as Kubernetes writes it: ``SIGQUIT``, ``SIGRTMIN+3``; SIGTERM for others."""
    for sign, step in (("+", 1), ("-", -1)):
        base, found, rest = name.partition(sign)
        if found and base in ("SIGRTMIN", "SIGRTMAX") and rest.isdigit():
            return signal.Signals[base] + step * int(rest)
    return signal.Signals.__members__.get(name, signal.SIGTERM)
