"""The proxy's process, and how the daemon starts it: ``python -m reconciler.daemon.proxy STATE_DIR SETTINGS``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.runtime.process.connection import socket_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock
    from reconciler.proxy import ProxyLink
    from reconciler.proxy.mirror import Objects


class Settings(msgspec.Struct, frozen=True):
    """What a proxy is started with: another one takes its place where any of it differs."""

    pod_cidr: str
    service_cidr: str
    listen: str
    http_port: int
    https_port: int
    dns_address: str
    host_dns: str
    cluster_domain: str
    version: str = __version__

    @property
    def identity(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


def link(objects: Objects, state_dir: Path, settings: Settings, clock: Clock) -> ProxyLink:
    """Return the daemon's side of this node's proxy."""
    from reconciler.proxy import ProxyLink

    async def start() -> Path:
        return await _start(state_dir, settings)

    return ProxyLink(
        objects,
        path=socket_path(state_dir, "proxy"),
        identity=settings.identity,
        start=start,
        clock=clock,
    )


async def _start(state_dir: Path, settings: Settings) -> Path:
    """Start a proxy; returns where it listens. Raises ``ReconcilerError`` with what it says when it does not start."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "PYTHONPATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "reconciler.daemon.proxy",
        str(state_dir), msgspec.json.encode(settings).decode(),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    said, errors = await process.communicate()
    if process.returncode:
        raise ReconcilerError(f"the proxy did not start: {errors.decode().strip()[-500:]}")
    path = socket_path(state_dir, "proxy")
    return path.with_name(f"{path.name}.{int(said)}")


def main(state: str, encoded: str) -> None:
    """Become the proxy of a state directory."""
    from reconciler.runtime.process.supervisor import namespaces
    from reconciler.runtime.process.supervisor.detach import detach

    os.umask(0o077)
    state_dir = Path(state)
    settings = msgspec.json.decode(encoded, type=Settings)
    path = socket_path(state_dir, "proxy")
    with contextlib.suppress(OSError):
        namespaces.set_title("reconciler-prx")
    try:
        report = detach(state_dir / "proxy.log")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        asyncio.run(_serve(state_dir, settings, path, report.ready))
    except (ReconcilerError, OSError) as error:
        sys.exit(f"error: {error}")


async def _serve(
    state_dir: Path, settings: Settings, path: Path, listening: Callable[[], None]
) -> None:
    from reconciler import telemetry
    from reconciler.clock import SystemClock, SystemEntropy
    from reconciler.daemon import ownlog
    from reconciler.proxy import Proxy
    from reconciler.proxy.process import Predecessor, ProxyProcess, serve
    from reconciler.runtime.process import ProcessRuntime

    telemetry.configure()
    clock, entropy = SystemClock(), SystemEntropy()
    runtime = ProcessRuntime(
        state_dir, clock=clock, pod_cidr=settings.pod_cidr, service_cidr=settings.service_cidr
    )

    def make(objects: Objects) -> Proxy:
        return Proxy(
            objects, runtime.network, clock=clock, entropy=entropy, listen=settings.listen,
            http_port=settings.http_port, https_port=settings.https_port,
            dns_address=settings.dns_address, host_dns=settings.host_dns, cluster_domain=settings.cluster_domain,
        )  # fmt: skip

    process = ProxyProcess(
        make, path=path, identity=settings.identity, clock=clock, predecessor=Predecessor.find(path)
    )
    quiet = asyncio.create_task(ownlog.keep(state_dir / "proxy.log", clock))
    try:
        await serve(process, listening)
    finally:
        quiet.cancel()
        await runtime.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
