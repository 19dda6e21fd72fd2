"""Sandboxes and containers: what the CRI's verbs do to them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from . import etc, logs, members, protocol, records, spawn
from . import namespaces as ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .loopback import LoopbackNetwork
    from .node import NodeNetwork

Reply = Any
Request = dict[str, Any]
_STREAMS = (b"stdout", b"stderr")


class Failure(Exception):
    """What the daemon shall hear as a RuntimeFailure."""

    def __init__(self, message: str, reason: str = "RuntimeFailure") -> None:
        super().__init__(message)
        self.reason = reason


class Loop(Protocol):
    def watch(self, fd: int, callback: Callable[[], object]) -> None: ...
    def unwatch(self, fd: int) -> None: ...
    def later(self, seconds: float, callback: Callable[[], None]) -> None: ...
    def tell(self, message: dict[str, Any]) -> None: ...


class Live:
    """What a running container has besides its record."""

    def __init__(self, log: logs.LogFile, fifos: list[int]) -> None:
        self.log = log
        self.fifos = fifos
        self.pidfd = -1
        self.waiting: list[Reply] = []


class Pods:
    """All of a node's sandboxes and containers, by id."""

    def __init__(self, root: Path, node: NodeNetwork | LoopbackNetwork, loop: Loop) -> None:
        self._root = root
        self._node = node
        self._loop = loop
        self._sandboxes: dict[str, dict[str, Any]] = {}
        self._containers: dict[str, dict[str, Any]] = {}
        self._live: dict[str, Live] = {}
        self._by_pid: dict[int, str] = {}
        self._commands: set[int] = set()
        self._host_ip = _host_address()
        self._load()

    # records

    def _save(self, record: dict[str, Any]) -> None:
        kind = "containers" if "sandbox_id" in record else "sandboxes"
        records.write(self._root / kind / record["id"] / "record.json", record)

    def _changed(self, record: dict[str, Any]) -> None:
        self._loop.tell({"event": record.get("pod_uid") or record["uid"]})

    def _load(self) -> None:
        for path in (self._root / "sandboxes").glob("*/record.json"):
            if record := records.read(path):
                if record["state"] == "SANDBOX_READY" and not records.lives(record["holder"]):
                    record["state"] = "SANDBOX_NOTREADY"
                self._sandboxes[record["id"]] = record
        for path in (self._root / "containers").glob("*/record.json"):
            if record := records.read(path):
                self._containers[record["id"]] = record
                if record["state"] == "CONTAINER_RUNNING":
                    self._adopt(record)

    def _adopt(self, record: dict[str, Any]) -> None:
        who = record.get("process") or {}
        self._attach(record)
        live = self._live[record["id"]]
        if not records.lives(who):
            self._finish(record, None)
            return
        live.pidfd = os.pidfd_open(who["pid"])
        if not records.lives(who):
            self._finish(record, None)
            return
        self._loop.watch(live.pidfd, lambda: self._adopted_ended(record))

    def _adopted_ended(self, record: dict[str, Any]) -> None:
        live = self._live[record["id"]]
        self._loop.unwatch(live.pidfd)
        deadline = time.monotonic() + 2

        def look() -> None:
            # Its code can be asked for as soon as its new parent has reaped it.
            status = ns.exit_status(live.pidfd)
            if status is None and time.monotonic() < deadline:
                self._loop.later(0.005, look)
            else:
                self._finish(record, status)

        look()

    # sandboxes

    def do_run_sandbox(self, request: Request, reply: Reply) -> None:
        config = request["config"]
        key = f"{config['uid']}-{config['attempt']}"
        record = self._sandboxes.get(key)
        if record is None or record["state"] != "SANDBOX_READY":
            record = self._make_sandbox(key, config)
        reply(record)

    def _make_sandbox(self, key: str, config: dict[str, Any]) -> dict[str, Any]:
        ready = [s for s in self._sandboxes.values() if s["state"] == "SANDBOX_READY"]
        if config["host_network"]:
            ip = self._host_ip
            holder = self._node.host("")
        else:
            ip = self._node.take({s["ip"] for s in ready})
            holder = self._node.plug(ip, config["hostname"])
        record = {k: config[k] for k in ("namespace", "name", "uid", "attempt")} | {
            "id": key,
            "state": "SANDBOX_READY",
            "created_at": time.time(),
            "ip": ip,
            "holder": records.identity(holder),
            "host_network": config["host_network"],
            "log_directory": config["log_directory"],
        }
        directory = self._root / "sandboxes" / key
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in etc.files(config, ip).items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o644)
        self._sandboxes[key] = record
        self._save(record)
        self._changed(record)
        return record

    def do_stop_sandbox(self, request: Request, reply: Reply) -> None:
        record = self._sandboxes.get(request["sandbox"])
        if record is not None and record["state"] == "SANDBOX_READY":
            for container in list(self._containers.values()):
                if container["sandbox_id"] == record["id"] and container["id"] in self._live:
                    self._kill(container)
            if records.lives(record["holder"]):
                os.kill(record["holder"]["pid"], signal.SIGKILL)
            record["state"] = "SANDBOX_NOTREADY"
            self._save(record)
            self._changed(record)
        reply()

    def do_remove_sandbox(self, request: Request, reply: Reply) -> None:
        self.do_stop_sandbox(request, lambda: None)
        key = request["sandbox"]
        for container in [c for c in self._containers.values() if c["sandbox_id"] == key]:
            self._forget(container)
        if record := self._sandboxes.pop(key, None):
            records.forget(self._root / "sandboxes" / key)
            self._changed(record)
        reply()

    def do_pods(self, request: Request, reply: Reply) -> None:
        for record in self._sandboxes.values():
            if record["state"] == "SANDBOX_READY" and not records.lives(record["holder"]):
                record["state"] = "SANDBOX_NOTREADY"
        reply([s for s in self._sandboxes.values() if request["uid"] in (None, s["uid"])])

    # containers

    def do_create(self, request: Request, reply: Reply) -> None:
        config = request["config"]
        sandbox = self._sandboxes.get(request["sandbox"])
        if sandbox is None or sandbox["state"] != "SANDBOX_READY":
            raise Failure(f"sandbox {request['sandbox']} is not ready")
        key = f"{sandbox['id']}-{config['name']}-{config['attempt']}"
        if not self._node.isolated:
            config = self._unisolated(key, sandbox, config)
        if key not in self._containers:
            directory = self._root / "containers" / key
            directory.mkdir(parents=True, exist_ok=True)
            for name in ("stdout", "stderr"):
                with contextlib.suppress(FileExistsError):
                    os.mkfifo(directory / name, 0o600)
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
            }
            self._containers[key] = record
            self._save(record)
        reply(key)

    def _unisolated(
        self, key: str, sandbox: dict[str, Any], config: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the configuration of a container that shares all with the host; refuses one that cannot."""
        hidden = [m["container_path"] for m in config["mounts"] if not _is_in_place(m)]
        if hidden:
            raise Failure(
                f"nothing can be mounted at {', '.join(hidden)}: {self._node.problem}",
                "CreateContainerError",
            )
        own = {members.MARK: key, "POD_IP": sandbox["ip"]}
        return {**config, "env": {**own, **config["env"], members.MARK: key}}

    def _container(self, key: str) -> dict[str, Any]:
        if record := self._containers.get(key):
            return record
        raise Failure(f"container {key} is not known", "NotFound")

    def _attach(self, record: dict[str, Any]) -> None:
        """Read a container's output into its log."""
        directory = self._root / "containers" / record["id"]
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        log = logs.LogFile(record["log_path"] or "/dev/null")
        fifos = [os.open(directory / name.decode(), flags) for name in _STREAMS]
        self._live[record["id"]] = Live(log, fifos)
        for stream, fd in zip(_STREAMS, fifos, strict=True):
            self._loop.watch(fd, partial(self._output, fd, log, stream))

    def _output(self, fd: int, log: logs.LogFile, stream: bytes) -> bool:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if data:
            log.feed(stream, data)
            return True
        self._loop.unwatch(fd)
        return False

    def do_start(self, request: Request, reply: Reply) -> None:
        record = self._container(request["container"])
        if record["state"] != "CONTAINER_CREATED":
            reply()
            return
        sandbox = self._sandboxes[record["sandbox_id"]]
        holder = sandbox["holder"]["pid"]
        config = record["config"]
        directory = self._root / "containers" / record["id"]
        streams = [
            os.open(directory / name.decode(), os.O_RDWR | os.O_CLOEXEC) for name in _STREAMS
        ]
        user = (config.get("security") or {}).get("run_as_user")
        if user is not None and os.getuid() == 0 and not self._node.rootless:
            for fd in streams:
                os.fchown(fd, user, -1)
        self._attach(record)
        wanted = _namespaces(sandbox, isolated=self._node.isolated)
        handles = {
            name: os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            for name in wanted
        }
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        process = spawn.Container(
            {**config, "rootless": self._node.rootless, "mounts": self._mounts(sandbox, config)},
            handles,
            str(self._root / "staging"),
            (null, streams[0], streams[1]),
        )
        record |= {
            "state": "CONTAINER_RUNNING",
            "started_at": time.time(),
            "process": records.identity(process.pid),
            "pid": process.pid,
            "config": {k: config.get(k) for k in ("working_dir", "security", "env")},
        }
        self._save(record)
        self._by_pid[process.pid] = record["id"]
        record["mount_namespace"], error = process.go()
        for fd in (*streams, *handles.values(), null):
            os.close(fd)
        if error:
            os.waitpid(process.pid, 0)
            del self._by_pid[process.pid]
            self._finish(record, 127 << 8, "StartError", error)
            raise Failure(error, "StartError")
        self._save(record)
        self._changed(record)
        reply()

    def _mounts(
        self, sandbox: dict[str, Any], config: dict[str, Any]
    ) -> list[dict[str, Any]] | None:
        """Return what shall appear where; None where a container sees the host's files as they are."""
        if not self._node.isolated:
            return None
        asked = [
            {"to": m["container_path"], "from": m["host_path"], "readonly": m["readonly"]}
            for m in config["mounts"]
        ]
        if sandbox["host_network"]:
            return asked
        taken = {m["to"] for m in asked}
        base = self._root / "sandboxes" / sandbox["id"]
        own = [
            {"to": f"/etc/{name}", "from": str(base / name), "readonly": False}
            for name in ("hosts", "resolv.conf", "hostname")
            if f"/etc/{name}" not in taken and (base / name).exists()
        ]
        return own + asked

    def ended(self, pid: int, status: int) -> None:
        """Hear that a child of ours, or one that came to us, has ended."""
        if key := self._by_pid.pop(pid, None):
            self._finish(self._containers[key], status)
        elif pid in self._commands:
            self._commands.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            self._loop.tell({"command": pid, "code": code if code >= 0 else 128 - code})
        else:
            for sandbox in self._sandboxes.values():
                if sandbox["holder"]["pid"] == pid and sandbox["state"] == "SANDBOX_READY":
                    sandbox["state"] = "SANDBOX_NOTREADY"
                    self._save(sandbox)
                    self._changed(sandbox)

    def _finish(
        self, record: dict[str, Any], status: int | None, reason: str = "", message: str = ""
    ) -> None:
        if record["state"] == "CONTAINER_EXITED":
            return
        sandbox = self._sandboxes.get(record["sandbox_id"], {})
        members.kill_all(record, sandbox.get("holder", {}))
        live = self._live.pop(record["id"])
        for stream, fd in zip(_STREAMS, live.fifos, strict=True):
            while self._output(fd, live.log, stream):
                pass
            self._loop.unwatch(fd)
            os.close(fd)
        live.log.finish()
        if live.pidfd >= 0:
            self._loop.unwatch(live.pidfd)
            os.close(live.pidfd)
        code = 137 if status is None else os.waitstatus_to_exitcode(status)
        if not reason:
            reason = (
                "ContainerStatusUnknown" if status is None else "Error" if code else "Completed"
            )
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
        self._save(record)
        for reply in live.waiting:
            reply()
        self._changed(record)

    def _signal(self, record: dict[str, Any], number: int) -> None:
        if records.lives(record.get("process") or {}):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record["pid"], number)

    def _kill(self, record: dict[str, Any]) -> None:
        """End it at once, and wait: its first process is a child, or was adopted."""
        self._signal(record, signal.SIGKILL)
        pid = record["pid"]
        if self._by_pid.pop(pid, None):
            _, status = os.waitpid(pid, 0)
            self._finish(record, status)
        else:
            self._finish(record, signal.SIGKILL)

    def do_stop(self, request: Request, reply: Reply) -> None:
        record = self._containers.get(request["container"])
        live = self._live.get(request["container"])
        if record is None or live is None:
            reply()
            return
        live.waiting.append(reply)
        if request["grace"] > 0:
            self._signal(record, signal.SIGTERM)

        def end() -> None:
            if record["state"] == "CONTAINER_RUNNING":
                self._signal(record, signal.SIGKILL)

        self._loop.later(max(0.0, request["grace"]), end)

    def _forget(self, record: dict[str, Any]) -> None:
        if record["id"] in self._live:
            raise Failure(f"container {record['id']} still runs")
        self._containers.pop(record["id"], None)
        records.forget(self._root / "containers" / record["id"])

    def do_remove(self, request: Request, reply: Reply) -> None:
        if record := self._containers.get(request["container"]):
            self._forget(record)
            self._changed(record)
        reply()

    def do_containers(self, request: Request, reply: Reply) -> None:
        reply(
            [
                {
                    k: v
                    for k, v in c.items()
                    if k not in ("config", "process", "mount_namespace", "marked")
                }
                for c in self._containers.values()
                if request["uid"] in (None, c["pod_uid"])
            ]
        )

    def do_reopen_log(self, request: Request, reply: Reply) -> None:
        self._container(request["container"])
        if live := self._live.get(request["container"]):
            live.log.reopen()
        reply()

    def do_exec(self, request: Request, reply: Reply) -> None:
        record = self._container(request["container"])
        if record["state"] != "CONTAINER_RUNNING":
            raise Failure(f"container {record['name']} is not running")
        if request["tty"]:
            near, far = os.openpty()
            ours, theirs = [near], (far, far, far)
        else:
            pairs = [os.pipe() for _ in range(3)]
            ours = [pairs[0][1], pairs[1][0], pairs[2][0]]
            theirs = (pairs[0][0], pairs[1][1], pairs[2][1])
        sandbox = self._sandboxes[record["sandbox_id"]]
        wanted = _namespaces(sandbox, isolated=self._node.isolated)
        config = {**record["config"], "rootless": self._node.rootless}
        try:
            pid = spawn.command(
                record["pid"],
                request["argv"],
                config,
                theirs,
                tty=request["tty"],
                namespaces=(*wanted, "mnt") if wanted else (),
            )
        except OSError as error:
            for fd in ours:
                os.close(fd)
            raise Failure(error.strerror or str(error), "StartError") from None
        finally:
            for fd in set(theirs):
                os.close(fd)
        self._commands.add(pid)
        reply(pid, ours)

    def do_kill_command(self, request: Request, reply: Reply) -> None:
        if request["pid"] in self._commands:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(request["pid"], signal.SIGKILL)
        reply()

    # network

    def do_info(self, _: Request, reply: Reply) -> None:
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
                "problem": node.problem,
            }
        )

    def do_sockets(self, request: Request, reply: Reply) -> None:
        reply(None, self._node.sockets(request))

    def end(self) -> None:
        """End the empty network; refuses while a sandbox is left."""
        if any(s["state"] == "SANDBOX_READY" for s in self._sandboxes.values()):
            raise Failure("sandboxes are left: stop them first")
        self._node.end()
        records.forget(self._root / "node.json")


def _namespaces(sandbox: dict[str, Any], *, isolated: bool) -> tuple[str, ...]:
    """Return which of its holder's namespaces the containers of a Pod enter."""
    if not isolated:
        return ()
    return ("uts",) if sandbox["host_network"] else ("uts", "net")


def _is_in_place(mount: dict[str, Any]) -> bool:
    return bool(os.path.realpath(mount["host_path"]) == os.path.realpath(mount["container_path"]))


def _host_address() -> str:
    """Return the address that this host has towards others; nothing is sent."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
