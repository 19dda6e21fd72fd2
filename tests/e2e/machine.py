"""The command line as users meet it: real processes, real state directories, as who runs the tests and as nobody.

Each test gets a ``Machine``: a state directory of its own and a way to run ``reconciler`` over it. Where the tests
run as root every test that takes one runs twice, the second time as an ordinary user with an environment made for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@dataclass
class Machine:
    """One state directory and the command over it."""

    command: list[str]
    state: Path
    work: Path
    user: int | None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.work),
            "LANG": "C.UTF-8",
            "RECONCILER_STATE_DIR": str(self.state),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(
        self,
        *arguments: str | Path,
        timeout: float = 60,
        check: int | None = 0,
        given: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; ``check`` is the exit code that is expected (None: any), ``given`` what it reads."""
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            capture_output=True, text=True, input=given, timeout=timeout, env=self.environment(),
            cwd=self.work, user=self.user, group=self.user, extra_groups=[] if self.user else None,
            check=False,
        )  # fmt: skip
        if check is not None:
            assert done.returncode == check, (
                f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start in the background; ended with the test."""
        process = subprocess.Popen(
            [*self.command, *map(str, arguments)],
            stdout=(self.work / "output").open("a"), stderr=subprocess.STDOUT, text=True,
            env=self.environment(), cwd=self.work, user=self.user, group=self.user,
            extra_groups=[] if self.user else None,
        )  # fmt: skip
        self.started.append(process)
        # Reaped when it ends: `down` waits until the daemon is gone, and it is our child.
        threading.Thread(target=process.wait, daemon=True).start()
        return process

    def up(self, path: Path, *arguments: str | Path, timeout: float = 60) -> None:
        """``up --detach --wait``: returns when healthy."""
        self.run(
            "up", path, "--detach", "--wait", "--http-port", "0", "--https-port", "0", *arguments,
            timeout=timeout,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def pods(self, namespace: str = "default", labels: str = "") -> list[dict[str, Any]]:
        selector = ("-l", labels) if labels else ()
        items: list[dict[str, Any]] = self.json("get", "pods", "-n", namespace, *selector)["items"]
        return [p for p in items if "deletionTimestamp" not in p["metadata"]]

    def ingress(self) -> str:
        """Return the base URL of the Ingress."""
        url = self.json("status")["ingress"]["http"]
        return str(url).rstrip("/")

    def get(self, path: str = "/", host: str = "") -> tuple[int, str]:
        """Ask the Ingress as curl does; returns (status, body)."""
        header = ["-H", f"Host: {host}"] if host else []
        done = subprocess.run(
            ["curl", "-sS", "-m", "10", "-w", "\n%{http_code}", *header, self.ingress() + path],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        body, _, code = done.stdout.rpartition("\n")
        return int(code), body

    def copy(self, example: str) -> Path:
        """Return a writable copy of an example, owned by the user who runs."""
        target = self.work / Path(example).name
        shutil.copytree(ROOT / "examples" / example, target, symlinks=True)
        if self.user is not None:
            for path in [target, *target.rglob("*")]:
                os.chown(path, self.user, self.user, follow_symlinks=False)
        return target

    def daemon_pid(self) -> int:
        return int((self.state / "daemon.lock").read_text().split()[0])

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("down", "--volumes", check=None, timeout=60)
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


def eventually(what: Callable[[], Any], timeout: float = 30.0) -> Any:
    """Wait for a real process: poll until ``what()`` is true and return that; the last exception is the failure."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = what()
            problem: Exception = AssertionError(f"still {value!r} after {timeout} s")
            if value:
                return value
        except (
            AssertionError,
            OSError,
            ValueError,
            LookupError,
            subprocess.SubprocessError,
        ) as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem
        time.sleep(0.1)
