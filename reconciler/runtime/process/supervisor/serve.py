"""The supervisor's loop: requests from daemons, output and ends of containers."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import namespaces as ns
from . import origin, ownlog
from .detach import detach
from .door import Door
from .node import open_network
from .peer import Peer
from .pods import Pods
from .timers import Timer, Timers
from .verbs import Failure

if TYPE_CHECKING:
    from collections.abc import Callable


#: How often it is looked whether the state directory and the socket are still there, in seconds.
_LOOK_SECONDS = 5.0


def _in_pod(pid: int) -> bool:
    """Tell whether a process lives in another PID namespace than this one: then it is a Pod's, of the same user or not."""
    try:
        theirs = os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        return False  # a Pod's processes can be looked at from here: this is one of outside
    return theirs != os.readlink("/proc/self/ns/pid")  # noqa: PTH115


class _Reply:
    """The answer to one request, now or later."""

    def __init__(self, peer: Peer, number: int) -> None:
        self._peer = peer
        self._number = number

    def __call__(self, result: Any = None, fds: list[int] | None = None) -> None:
        self._peer.send({"id": self._number, "result": result, "fds": len(fds or ())}, fds)

    def fail(self, failure: Failure) -> None:
        self._peer.send({"id": self._number, "error": str(failure), "reason": failure.reason})


class Supervisor:
    """One a state directory."""

    def __init__(self, root: Path, door: Door, pod_cidr: str, service_cidr: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._peers: dict[int, Peer] = {}
        self._timers = Timers()
        self._running = True
        self._root = root
        self._door = door
        node = open_network(root / "node.json", pod_cidr, service_cidr)
        gc.freeze()
        # No Pod reaches what is only the daemon's: its database, its sockets, other Pods' volumes.
        self.pods = Pods(root, node, self, hidden=(str(root.parent), str(door.path.parent)))
        self.watch(door.listener.fileno(), self._accept)
        self._log = root / "supervisor.log"
        self._keep_log_small()
        self.later(_LOOK_SECONDS, self._look_around)

    def _keep_log_small(self) -> None:
        ownlog.keep_small(self._log)
        self.later(ownlog.LOOK_SECONDS, self._keep_log_small)

    def _look_around(self) -> None:
        """Be reachable again where the socket is gone; end everything where the state directory is: nobody else ever would."""
        if not self._root.exists():
            ownlog.note(f"{self._root} is gone: what ran of it is ended")
            self.pods.abandon()
            self._running = False
            return
        if not self._door.is_there():
            self.unwatch(self._door.listener.fileno())
            self._door.reopen()
            self.watch(self._door.listener.fileno(), self._accept)
        self.later(_LOOK_SECONDS, self._look_around)

    def watch(self, fd: int, callback: Callable[[], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def unwatch(self, fd: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._timers.add(seconds, callback)

    def cancel(self, timer: Timer) -> None:
        self._timers.cancel(timer)

    def tell(self, message: dict[str, Any]) -> None:
        for peer in list(self._peers.values()):
            peer.send(message)

    def _accept(self) -> None:
        sock, _ = self._door.listener.accept()
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", raw)
        if uid != os.getuid() or _in_pod(pid):
            sock.close()
            return
        peer = Peer(sock)
        self._peers[peer.fileno()] = peer
        self.watch(peer.fileno(), lambda: self._serve(peer))

    def _serve(self, peer: Peer) -> None:
        """Write what waits, read what has come."""
        peer.flush()
        requests = peer.lines()
        if requests is None:
            self.unwatch(peer.fileno())
            self._peers.pop(peer.fileno(), None)
            peer.close()
            return
        for request in requests:
            self._handle(peer, request)

    def _await_writable(self) -> None:
        """Be woken by whoever has not read everything, too."""
        for fd, peer in self._peers.items():
            wanted = selectors.EVENT_READ | selectors.EVENT_WRITE * peer.wants_to_write
            key = self._selector.get_key(fd)
            if key.events != wanted:
                self._selector.modify(fd, wanted, key.data)

    def _handle(self, peer: Peer, request: dict[str, Any]) -> None:
        reply = _Reply(peer, request.pop("id"))
        try:
            if request["op"] == "shutdown":
                self.pods.end()
                self._running = False
                reply()
            else:
                self.pods.operations[request["op"]](request, reply)
        except Failure as failure:
            reply.fail(failure)
        except OSError as error:
            reply.fail(Failure(error.strerror or str(error)))
        except Exception as error:  # noqa: BLE001 - one bad request must not end the supervisor
            traceback.print_exc()
            reply.fail(Failure(repr(error)))

    def _reap(self, wakeup: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wakeup.recv(4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.pods.ended(pid, status)

    def run(self) -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.watch(near.fileno(), lambda: self._reap(near))
        self._reap(near)
        while self._running:
            self._await_writable()
            for key, _ in self._selector.select(self._timers.wait()):
                if key.fd in self._selector.get_map():
                    key.data()
            self._timers.run()


def _make_directories(root: Path) -> None:
    for part in ("sandboxes", "containers", "staging"):
        (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)


def _said(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def main(state: str, address: str, pod_cidr: str, service_cidr: str) -> None:
    """Serve a state directory, unless another one does."""
    os.umask(0o077)
    root = Path(state)
    try:
        _make_directories(root)
        report = detach(root / "supervisor.log")
    except OSError as error:
        sys.exit(_said(error))
    try:
        lock = os.open(root / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report.ready()
            return
        if origin.settle(root):
            ownlog.note(
                "this is a copy of another state directory: what that one runs is not touched"
            )
            _make_directories(root)
        ns.become_subreaper()
        ns.set_title("reconciler-sup")
        door = Door(address)
        supervisor = Supervisor(root, door, pod_cidr, service_cidr)
        door.open()
    except OSError as error:
        report.failed(_said(error))
    except Exception as error:  # noqa: BLE001 - who waits for this is to hear why
        traceback.print_exc()
        report.failed(repr(error))
    report.ready()
    supervisor.run()
    door.close()
    shutil.rmtree(root / "staging", ignore_errors=True)
