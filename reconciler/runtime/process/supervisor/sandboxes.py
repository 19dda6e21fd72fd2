"""Sandboxes: a Pod's address, its namespaces and the process that holds them."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import etc, holders, isolation, records, users
from .verbs import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .containers import Containers
    from .loopback import LoopbackNetwork
    from .node import NodeNetwork
    from .state import Record, State
    from .verbs import Reply, Request


class Sandboxes:
    """The CRI's verbs of sandboxes."""

    def __init__(
        self, state: State, node: NodeNetwork | LoopbackNetwork, containers: Containers
    ) -> None:
        self._state = state
        self._node = node
        self._containers = containers
        self._host_ip = _host_address()
        self._look(state.sandboxes.values())

    @staticmethod
    def _look(sandboxes: Iterable[Record]) -> None:
        for record in sandboxes:
            if record["state"] == "SANDBOX_READY" and not records.lives(record["holder"]):
                record["state"] = "SANDBOX_NOTREADY"

    def any_ready(self) -> bool:
        """Tell whether a sandbox is left that was not stopped."""
        return any(s["state"] == "SANDBOX_READY" for s in self._state.sandboxes.values())

    def run(self, request: Request, reply: Reply) -> None:
        config = request["config"]
        key = f"{config['uid']}-{config['attempt']}"
        record = self._state.sandboxes.get(key)
        if record is None or record["state"] != "SANDBOX_READY":
            record = self._make(key, config)
        reply(record)

    def _make(self, key: str, config: dict[str, Any]) -> Record:
        state = self._state
        own = isolation.own(config, self._node)
        if config["host_network"]:
            ip = self._host_ip
            holder = self._node.host(own, key)
        else:
            ip = self._node.take({s["ip"] for s in state.sandboxes.values()})
            holder = self._node.plug(ip, config["hostname"], own, key)
        record = {k: config[k] for k in ("namespace", "name", "uid", "attempt")} | {
            "id": key,
            "state": "SANDBOX_READY",
            "created_at": time.time(),
            "ip": ip,
            "holder": records.identity(holder),
            "host_network": config["host_network"],
            "namespaces": isolation.made(config, own),
            "users": self._users(config),
            "log_directory": config["log_directory"],
        }
        directory = state.directory(record)
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in etc.files(config, ip, _host_names()).items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o644)
        state.sandboxes[key] = record
        state.save(record)
        state.changed(record)
        return record

    def _users(self, config: dict[str, Any]) -> int:
        """Return the first of a Pod's own ids; 0 where it has none, or an ordinary user's one id is all there is."""
        if not config.get("own_users") or self._node.rootless:
            return 0
        return users.take([s.get("users", 0) for s in self._state.sandboxes.values()])

    def stop(self, request: Request, reply: Reply) -> None:
        record = self._state.sandboxes.get(request["sandbox"])
        if record is not None and record["state"] == "SANDBOX_READY":
            for container in self._state.containers_of(record["id"]):
                self._containers.kill(container)
            records.send(record["holder"], signal.SIGKILL)
            self._not_ready(record)
        reply()

    def _not_ready(self, record: Record) -> None:
        record["state"] = "SANDBOX_NOTREADY"
        self._state.save(record)
        self._state.changed(record)

    def lose(self, sandbox: str) -> None:
        """Hear that all of a sandbox was ended because a record of it is lost."""
        record = self._state.sandboxes.get(sandbox)
        for container in self._state.containers_of(sandbox):
            if container["state"] == "CONTAINER_RUNNING":
                self._containers.attach(container)
                self._containers.finish(container, None)
            if record is None:
                self._containers.forget(container)
        if record is not None and record["state"] == "SANDBOX_READY":
            self._not_ready(record)

    def remove(self, request: Request, reply: Reply) -> None:
        self.stop(request, lambda: None)
        for container in self._state.containers_of(request["sandbox"]):
            self._containers.forget(container)
        if record := self._state.sandboxes.get(request["sandbox"]):
            self._state.forget(record)
            self._state.changed(record)
        reply()

    def list(self, request: Request, reply: Reply) -> None:
        uid = request["uid"]
        # Only those that are asked for: each is a file of /proc to read.
        found = [s for s in self._state.sandboxes.values() if uid in (None, s["uid"])]
        self._look(found)
        reply(found)

    def memory_directory(self, request: Request, reply: Reply) -> None:
        """Lay a tmpfs over a directory in the mount namespace that the sandbox's containers start from."""
        record = self._state.sandboxes.get(request["sandbox"])
        if record is None or not records.lives(record["holder"]):
            raise Failure(f"sandbox {request['sandbox']} is not ready")
        if "mnt" not in record.get("namespaces", ()):
            reply()  # made by a supervisor that gave none
            return
        path, size = request["path"], request["size"]
        reply(None, [holders.lay_memory(record["holder"]["pid"], path, size)])

    def holder_ended(self, pid: int) -> None:
        """Hear that a child has ended which may have been a holder."""
        for record in self._state.sandboxes.values():
            if record["holder"]["pid"] == pid and record["state"] == "SANDBOX_READY":
                self._not_ready(record)


def _host_names() -> str:
    try:
        return Path("/etc/hosts").read_text(errors="replace")
    except OSError:
        return ""


def _host_address() -> str:
    """Return the address that this host has towards others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
